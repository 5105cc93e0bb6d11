import { Command } from 'commander';
import { DEFAULT_HOME, type GlobalOptions, run } from './context.ts';
import { EXIT, EXIT_HELP } from './exit.ts';

/** Adds a command whose code is loaded only when it runs, so that `--help` stays quick. */
type Load = () => Promise<{ default: (...args: never[]) => Promise<unknown> }>;

const program = new Command('keyturn');

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
  .exitOverride((error) => {
    process.exit(error.exitCode === 0 ? 0 : EXIT.usage);
  });

interface Spec {
  readonly name: string;
  readonly about: string;
  readonly example: string;
  readonly load: Load;
  readonly options?: readonly (readonly [flags: string, about: string])[];
  /** Options that may be given several times. */
  readonly lists?: readonly (readonly [flags: string, about: string])[];
}

function add(parent: Command, spec: Spec): void {
  const command = parent.command(spec.name).description(spec.about);
  for (const [flags, about] of spec.options ?? []) command.option(flags, about);
  for (const [flags, about] of spec.lists ?? []) {
    command.option(flags, about, (value: string, before: string[] = []) => [...before, value]);
  }
  command.addHelpText('after', `\nExample: ${spec.example}`);
  command.action(async (...args: unknown[]) => {
    const positional = args.slice(0, -2);
    const options = args.at(-2);
    await run(command.optsWithGlobals<GlobalOptions>(), async (context) => {
      const { default: action } = await spec.load();
      return action(...([context, options, ...positional] as never[]));
    });
  });
}

function group(name: string, about: string, specs: readonly Spec[]): void {
  const parent = program.command(name).description(about);
  for (const spec of specs) add(parent, spec);
}

const { instanceCommands, credentialCommands, groups } = await import('./catalogue.ts');
for (const spec of [...instanceCommands, ...credentialCommands]) add(program, spec);
for (const [name, about, specs] of groups) group(name, about, specs);

await program.parseAsync(process.argv);

export type { Spec };
