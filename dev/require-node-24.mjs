// Preloaded by every script in package.json. The repository brings its own Node as a dev dependency; when that install
// failed, pnpm only warns and the script would run under the machine's Node and die on its first line of TypeScript.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  console.error(
    `This needs Node 24, and runs on ${process.version}. The install of the project's own Node failed: run "npx pnpm install" and look at its first error.`,
  );
  process.exit(1);
}
