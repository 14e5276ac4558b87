// From a core module to a component of one world: node componentize.mjs CORE WORLD COMPONENT. It checks every import and export
// against wit/. `wasm-tools component embed` and `wasm-tools component new` do the same.
import { readFile, writeFile } from "node:fs/promises";
import { componentEmbed, componentNew } from "@bytecodealliance/jco-transpile/wasm-tools";

const [core, world, component] = process.argv.slice(2);
const witSource = await readFile("wit/capability.wit", "utf8");
const embedded = await componentEmbed({ binary: await readFile(core), witSource, world, stringEncoding: "utf8" });
await writeFile(component, await componentNew(embedded, []));
