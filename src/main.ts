#!/usr/bin/env node
/** The process: arguments, streams, exit code. Only this file ends it. Commands are loaded when they are asked for. */
import { type CommandName, helpFor, isCommand, overview } from './cli/commands.ts'
import { type CliIo, type Command, EXIT, UsageError } from './cli/io.ts'
import { nearest } from './config/nearest.ts'
import { endProcess } from './end-process.ts'
import { printable } from './ops/text.ts'
import { keepHeapSmall } from './v8-heap.ts'

const LOAD: Record<CommandName, () => Promise<Command>> = {
  run: () => import('./cli/run.ts'),
  demo: () => import('./cli/demo.ts'),
  check: () => import('./cli/check.ts'),
  status: () => import('./cli/status.ts'),
  tap: () => import('./cli/tap.ts'),
  query: () => import('./cli/query.ts'),
  replay: () => import('./cli/replay.ts'),
  config: () => import('./cli/config.ts'),
  version: () => import('./cli/version.ts'),
}

/** Runs one command line and resolves with its exit code. Never throws. */
export async function main(argv: readonly string[], io: CliIo): Promise<number> {
  try {
    return await dispatch(argv, io)
  } catch (error) {
    return complain(error, io)
  }
}

async function dispatch(argv: readonly string[], io: CliIo): Promise<number> {
  const [name, ...args] = argv
  const known = Object.keys(LOAD)
  if (name === undefined) throw new UsageError('say what to do')
  if (name === '--help' || name === '-h' || name === 'help') {
    const [topic] = args
    if (topic !== undefined && !isCommand(topic)) throw unknownCommand(topic, known)
    io.stdout.write(topic === undefined ? overview() : helpFor(topic))
    return EXIT.ok
  }
  if (name === '--version' || name === '-v') return main(['version'], io)
  if (!isCommand(name)) throw unknownCommand(name, known)
  if (args.includes('--help') || args.includes('-h')) {
    io.stdout.write(helpFor(name))
    return EXIT.ok
  }
  const command = await LOAD[name]()
  return command.run(args, io)
}

function unknownCommand(name: string, known: readonly string[]): UsageError {
  const isFlag = name.startsWith('-')
  const guess = isFlag ? undefined : nearest(name, known)
  const hint = guess === undefined ? `; there is ${known.join(', ')}` : `; did you mean ${guess}?`
  return new UsageError(`unknown ${isFlag ? 'flag' : 'command'} "${name}"${hint}`)
}

/** Says what went wrong on stderr and gives the exit code for it. */
async function complain(error: unknown, io: CliIo): Promise<number> {
  if (error instanceof UsageError) {
    const help = error.command === undefined ? 'opswire --help' : `opswire ${error.command} --help`
    io.stderr.write(
      // It may quote what a source said, or what was pasted.
      `opswire${error.command === undefined ? '' : ` ${error.command}`}: ${printable(error.message, 2000)}\n${help} tells more.\n`,
    )
    return EXIT.usage
  }
  const { codeOf, describe } = await import('./errors.ts')
  const code = codeOf(error)
  if (code === 'bug' || code === 'poison') {
    io.stderr.write(bugReport(error))
    return EXIT.bug
  }
  // What is wrong with a config are lines; what a system said is one.
  io.stderr.write(code === 'config' ? `${describe(error)}\n` : `opswire: ${printable(describe(error), 2000)}\n`)
  if (code === 'config') return EXIT.config
  return code === 'auth_refused' || code === 'permission' ? EXIT.refused : EXIT.unavailable
}

/** With the stack. Its words may come from a source, as a parser's error quotes what it could not read. */
function bugReport(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
  const lines = stack.split('\n').map(line => printable(line))
  return `opswire: this should not happen; please report it\n${lines.join('\n    ')}\n`
}

if (import.meta.main) {
  keepHeapSmall()
  const argv = process.argv.slice(2)
  // Node opens a debugger's port at it, where whoever is on the machine could read every secret. A listener keeps it from that.
  process.on('SIGUSR1', () => undefined)
  process.on('uncaughtException', error => {
    process.stderr.write(bugReport(error))
    endProcess(EXIT.bug, 'forced')
  })
  // `opswire config example | head`: the reader left, which is no error of ours. `run` decides for itself.
  if (argv[0] !== 'run' && argv[0] !== 'demo') {
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      // It has a session to say goodbye to first.
      if (argv[0] === 'query' && error.code === 'EPIPE') return
      process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.bug)
    })
  }
  const code = await main(argv, {
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    isTty: process.stdout.isTTY === true,
    stderrIsTty: process.stderr.isTTY === true,
    // Looked at only by who needs it: to touch it keeps a process alive.
    get stdin() {
      return process.stdin
    },
    // A terminal may not know its width, and say 0.
    columns: process.stdout.columns || 80,
    ...(process.stdout.rows === undefined ? {} : { rows: process.stdout.rows }),
  })
  process.exitCode = code
  // A daemon that was told to stop has stopped: a reader of its output that hangs must not keep it alive.
  if (argv[0] === 'run' || code === EXIT.forced) endProcess(code, code === EXIT.forced ? 'forced' : 'orderly')
}
