// Bundles page.js and what it imports into app/graphql/graphiql/assets, with the licences of all that went in.

import { build } from "esbuild";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const TARGET = "../../app/graphql/graphiql/assets";
const FONT_FACE = /@font-face\s*\{[^}]*\}/g;

const { metafile } = await build({
  entryPoints: { graphiql: "page.js" },
  outdir: TARGET,
  bundle: true,
  minify: true,
  metafile: true,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  define: { "process.env.NODE_ENV": '"production"' },
  plugins: [{ name: "lighter", setup: lighten }],
});
writeFileSync(join(TARGET, "LICENSES.txt"), licences(Object.keys(metafile.inputs)));

function lighten(bundler) {
  // The fonts are most of the style sheet; the reader's own will do.
  bundler.onLoad({ filter: /style\.css$/ }, ({ path }) => ({
    contents: readFileSync(path, "utf8").replace(FONT_FACE, ""),
    loader: "css",
  }));
  // What this is in production, which graphql asks for at run time, when no bundler can leave out the rest.
  bundler.onLoad({ filter: /instanceOf\.mjs$/ }, () => ({
    contents: "export const instanceOf = (value, constructor) => value instanceof constructor;",
  }));
  // It writes styles into the page, which the page's policy forbids; there is nothing to scroll behind a dialog.
  bundler.onLoad({ filter: /react-style-singleton\/dist\/es2015\/index\.js$/ }, () => ({
    contents: "export const styleSingleton = () => () => null;",
  }));
}

/** Return each licence once, below the names of the packages that it is for. */
function licences(inputs) {
  const folders = [...new Set(inputs.filter((input) => input.startsWith("node_modules/")).map(packageOf))].sort();
  const named = new Map();
  for (const folder of folders) named.set(textOf(folder), [...(named.get(textOf(folder)) ?? []), titleOf(folder)]);
  return [...named].map(([text, titles]) => `${titles.join("\n")}\n\n${text}\n`).join(`\n${"-".repeat(80)}\n\n`);
}

/** Return the innermost folder above a file whose package.json names a package. */
function packageOf(file) {
  let folder = dirname(file);
  while (!existsSync(join(folder, "package.json")) || !manifest(folder).version) folder = dirname(folder);
  return folder;
}

function titleOf(folder) {
  const { name, version, license } = manifest(folder);
  return `${name} ${version} (${license})`;
}

function textOf(folder) {
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  return file ? readFileSync(join(folder, file), "utf8").trim() : "(named in the package, which carries no text of it)";
}

function manifest(folder) {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}
