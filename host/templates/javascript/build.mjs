// Builds both modules: JavaScript -> component, with the engine inside.
import { writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const modules = [
  { folder: "transform", worldName: "transform-module" },
  { folder: "effect", worldName: "{{name}}-effect" },
];

for (const { folder, worldName } of modules) {
  // Without these features nothing of WASI is left to import: no output, no clock, no chance, no network.
  const disableFeatures = ["stdio", "random", "clocks", "http", "fetch-event"];
  const { component } = await componentize({ sourcePath: `${folder}/module.js`, witPath: "wit", worldName, disableFeatures });
  const file = `${folder}/{{name}}-${folder}.wasm`;
  await writeFile(file, component);
  console.log(file);
}
