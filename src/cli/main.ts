import { Command, Option } from 'commander';
import { KeyturnError } from '../core/errors.ts';
import { whyFile } from '../core/io/why-file.ts';
import { credentialCommands } from './catalogue/credential.ts';
import { groups } from './catalogue/groups.ts';
import { instanceCommands } from './catalogue/instance.ts';
import type { Spec } from './catalogue/spec.ts';
import { DEFAULT_HOME, type GlobalOptions, run } from './context.ts';
import { EXIT, EXIT_HELP } from './terminal/exit.ts';
import { Terminal } from './terminal/terminal.ts';

const program = new Command('keyturn');

// Whoever reads has seen enough (keyturn … | head).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit();
  const what = `Standard output takes no more${whyFile(error)}: what was written is not whole.`;
  new Terminal({ json: asksForJson() }).fail(
    new KeyturnError('invalid_input', what, { fix: 'Write it to another place.' }),
  );
  process.exit(EXIT.failure);
});
// There is nobody to tell.
process.stderr.on('error', () => {});

program
  .description('Mutual-TLS credentials: held in a key store, lent for minutes, every use on an audit log.')
  .option('--home <folder>', `folder of the instance (environment: KEYTURN_HOME; default ${DEFAULT_HOME})`)
  .option(
    '--connection <file>',
    'connection file of the server (KEYTURN_CONNECTION; default <home>/admin/connection.json)',
  )
  .option('--token-file <file>', 'file that holds your API token (KEYTURN_TOKEN_FILE; default <home>/admin/token)')
  .option('--json', 'print one JSON document')
  .addHelpText('after', `\n${EXIT_HELP}\n\nExample: keyturn init && keyturn server`)
  .showSuggestionAfterError()
  .configureOutput({ outputError: (text, write) => write(asksForJson() ? usageError(text) : text) })
  .exitOverride((error) => {
    process.exit(error.exitCode === 0 ? 0 : EXIT.usage);
  });

/** Wrong usage is told before options are parsed. */
function asksForJson(): boolean {
  return process.argv.includes('--json');
}

function usageError(text: string): string {
  const message = text.replace(/^error: /, '').trim();
  return `${JSON.stringify({ error: { code: 'invalid_input', message, fix: 'See keyturn --help.', facts: {} } })}\n`;
}

function add(parent: Command, spec: Spec): void {
  const command = parent.command(spec.name, { isDefault: spec.isDefault ?? false }).description(spec.about);
  for (const [flags, about] of spec.options ?? []) command.option(flags, about);
  for (const flags of spec.formerly ?? []) command.addOption(new Option(flags).hideHelp());
  for (const [flags, about] of spec.lists ?? []) {
    command.option(flags, about, (value: string, before: string[] | undefined) => [...(before ?? []), value]);
  }
  command.addHelpText('after', `\nExample: ${spec.example}`);
  command.copyInheritedSettings(program);
  command.action(async (...args: unknown[]) => {
    const positional = args.slice(0, -2);
    const options = args.at(-2);
    await run(command.optsWithGlobals<GlobalOptions>(), async (context) => {
      const { default: action } = await spec.load();
      const all: unknown[] = [context, options, ...positional];
      return action(...(all as never[]));
    });
  });
}

for (const spec of [...instanceCommands, ...credentialCommands]) add(program, spec);
for (const [name, about, specs] of groups) {
  const parent = program.command(name).description(about).copyInheritedSettings(program);
  for (const spec of specs) add(parent, spec);
}

await program.parseAsync(process.argv);
