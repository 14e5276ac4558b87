// Builds both modules: AssemblyScript -> core module -> component.
import { readFile, writeFile } from "node:fs/promises";
import { main } from "assemblyscript/asc";
import { componentEmbed, componentNew, parse } from "@bytecodealliance/jco-transpile/wasm-tools";

const modules = [
  { folder: "transform", world: "transform-module", run: "enact:capability/transform@0.1.0#run", parameters: 4 },
  { folder: "effect", world: "side-effect-module", run: "enact:capability/side-effect@0.1.0#run", parameters: 10 },
];
const witSource = await readFile("wit/capability.wit", "utf8");

// What the component model calls an export is no identifier of AssemblyScript. And AssemblyScript sets up its globals in a start
// function, which the sandbox does not admit: so each export begins with that function, which does its work once.
function exported(text, name, as, parameters) {
  const field = new RegExp(`\\(export "${name}" \\(func (.+?)\\)\\)`).exec(text);
  if (!field) throw new Error(`no function \`${name}\` is exported`);
  const pass = Array.from({ length: parameters }, (_, at) => `local.get ${at}`).join(" ");
  const enter = `(func $enter_${name} (param ${"i32 ".repeat(parameters)}) (result i32) call $~start ${pass} call ${field[1]})`;
  return text.replace(field[0], `${enter} (export "${as}" (func $enter_${name}))`);
}

for (const { folder, world, run, parameters } of modules) {
  const file = `${folder}/{{name}}-${folder}.wasm`;
  const wat = file.replace(".wasm", ".wat");
  // An instance serves one call, so memory is never given back. No import but what `src/host.ts` declares.
  const { error } = await main(
    [`${folder}/module.ts`, "--textFile", wat, "-O3", "--runtime", "stub", "--initialMemory", "4"].concat(
      ["--exportStart", "start", "--use", "abort=src/abi/abort"],
    ),
    { stdout: process.stdout, stderr: process.stderr },
  );
  if (error) process.exit(1);
  let text = (await readFile(wat, "utf8")).replace('(export "start" (func $~start))', "");
  text = exported(exported(text, "cabi_realloc", "cabi_realloc", 4), "run", run, parameters);
  const core = await parse(text);
  const embedded = await componentEmbed({ binary: core, witSource, world, stringEncoding: "utf8" });
  await writeFile(file, await componentNew(embedded, []));
  console.log(file);
}
