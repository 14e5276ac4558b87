//! Holds no code: its manifest keeps the features of shared dependencies equal, whichever packages are built.
