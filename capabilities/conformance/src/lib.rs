//! Holds the modules against their manifests and against published vectors. The tests are all there is.
