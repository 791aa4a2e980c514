/** The commands and their flags: one table for parsing, help and hints. */
import { QUERY } from './query-words.ts'
import { REPLAY } from './replay-words.ts'

export interface Flag {
  readonly name: string
  readonly short?: string
  /** What follows the flag; absent for a flag that is there or not. */
  readonly value?: string
  readonly says: string
  /** May be given several times. */
  readonly many?: true
  /** The heading of the help under which it stands; the first flags of a command stand under none. */
  readonly under?: string
}

export interface CommandSpec {
  readonly summary: string
  /** What stands behind the command besides flags: each word and what it does. */
  readonly words?: Readonly<Record<string, string>>
  /** Words of the user's own behind the command, as the usage line names them. */
  readonly operands?: string
  readonly flags: readonly Flag[]
  /** What one may well try and can't have, with the reason. */
  readonly notFlags?: Readonly<Record<string, string>>
  /** Further lines of the help, as prose. */
  readonly notes?: readonly string[]
  readonly examples: readonly (readonly [command: string, does: string])[]
}

const CONFIG: Flag = { name: 'config', short: 'c', value: 'FILE', says: 'the config file (YAML or JSON)' }
const JSON_OUT: Flag = { name: 'json', says: 'print JSON, for scripts' }

const FILTERS = 'Filters (of the same flag any must fit, of different flags all):'

export const COMMANDS = {
  run: {
    summary: 'run the daemon',
    flags: [CONFIG],
    notes: [
      'Logs go to stderr. Without a nats block in the config the events go to stdout, one JSON object a line.',
      'TERM or INT stops gracefully within shutdown_timeout; a second one forces.',
      'HUP, or POST /-/reload, reads the config again: a bad one changes nothing, a good one only what differs.',
    ],
    examples: [
      ['opswire run -c /etc/opswire/opswire.yaml', 'run until it is stopped'],
      ['OPSWIRE_LOG__LEVEL=debug opswire run -c opswire.yaml', 'with one value from the environment'],
      ['systemctl reload opswire', 'take up a changed config, where systemd runs it'],
    ],
  },
  check: {
    summary: 'check a config file, and with --connect also what it speaks of',
    flags: [
      CONFIG,
      { name: 'connect', says: 'also log in to each source and to NATS, and ask each a little' },
      JSON_OUT,
    ],
    notes: [
      'Tells every problem at once, and exits 78 if there is one. Warnings do not change the exit code. Without --connect it',
      'connects nowhere. With it: one login each, and out again; nothing is changed there. A table with the time of each',
      'step, and what to do about one that failed; exit 77 when a login was refused, else 69 when something failed.',
    ],
    examples: [
      ['opswire check -c opswire.yaml', 'what is wrong, or what the daemon would do'],
      ['opswire check -c opswire.yaml --json', 'the same for a script'],
      ['opswire check -c opswire.yaml --connect', 'before the first start, and when something does not work'],
    ],
  },
  demo: {
    summary: 'the whole thing on this machine, against built-in simulators',
    flags: [
      { name: 'for', value: 'DURATION', says: 'stop after this time, such as 30s' },
      { name: 'nats', value: 'URL', says: 'deliver to a nats-server that runs already, in place of one of its own' },
      {
        name: 'listen',
        value: 'HOST:PORT',
        says: "the daemon's HTTP endpoint; 127.0.0.1:9469, or a free port, unless given",
      },
    ],
    examples: [
      ['opswire demo', 'run until Ctrl-C'],
      ['opswire demo --for 30s', 'end by itself; the exit code tells whether every source delivered'],
      ['opswire demo --nats nats://127.0.0.1:4222', 'into your own JetStream: stream OPSWIRE, subjects opswire.>'],
    ],
  },
  status: {
    summary: 'what a running daemon knows about itself',
    flags: [
      { name: 'url', value: 'URL', says: 'where the daemon listens (default http://127.0.0.1:9469)' },
      {
        name: 'token-file',
        value: 'FILE',
        says: 'the token that a daemon on another machine wants (its http.token_file)',
      },
      JSON_OUT,
      { name: 'watch', short: 'w', says: 'again every 2 s, until Ctrl-C' },
    ],
    examples: [
      ['opswire status', 'sources, feeds, leases, store and sink of the daemon on this machine'],
      ['opswire status --url http://opswire.example.net:9469 --json', 'of another one, as JSON'],
      ['opswire status --watch', 'follow it'],
    ],
  },
  tap: {
    summary: 'follow the stream: every event as it comes',
    flags: [
      CONFIG,
      { name: 'since', value: 'TIME', says: 'begin there: 2h (ago), 2026-02-03T04:05:06Z, or start; without it, now' },
      { name: 'limit', value: 'N', says: 'end after N events' },
      JSON_OUT,
      { name: 'source', value: 'NAME', says: 'only of this source', many: true, under: FILTERS },
      {
        name: 'kind',
        value: 'KIND',
        says: 'fault, event, audit, session, health, state, job, return, gap, source',
        many: true,
        under: FILTERS,
      },
      {
        name: 'severity',
        value: 'SEVERITY',
        says: 'this and above: critical, major, minor, warning, info',
        under: FILTERS,
      },
      { name: 'type', value: 'TYPE', says: 'such as apic.fault.raised, or apic.fault.*', many: true, under: FILTERS },
      {
        name: 'actor',
        value: 'NAME',
        says: 'who did it: a user, or the name or id of a token; * is any text',
        many: true,
        under: FILTERS,
      },
      { name: 'text', value: 'TEXT', says: 'all of these stand somewhere in the event', many: true, under: FILTERS },
    ],
    notes: [
      'Reads the stream of the nats block with its login, and takes nothing away. Times are UTC. Goes on over a restart of NATS, without',
      'a hole, and with a stream that was made anew. With --json each event is one line, as it stands in the stream. Ends with 0 at Ctrl-C.',
    ],
    examples: [
      ['opswire tap -c opswire.yaml', 'everything from now on'],
      ['opswire tap -c opswire.yaml --severity major --source fabric-a', 'what hurts in one fabric'],
      ['opswire tap -c opswire.yaml --kind audit --actor alice --since 1d', 'what alice did since yesterday'],
      ['opswire tap -c opswire.yaml --kind fault --limit 1 --json', 'wait for the next fault'],
    ],
  },
  query: QUERY,
  replay: REPLAY,
  config: {
    summary: 'print a sample config, its schema, or what a file amounts to',
    words: {
      example: 'a sample file: every key, what it means, its default',
      schema: 'the JSON Schema of the file, for editors',
      show: 'every value in force and where it comes from, secrets masked (needs -c FILE)',
    },
    flags: [CONFIG, JSON_OUT],
    examples: [
      ['opswire config example > opswire.yaml', 'start a config'],
      ['opswire config show -c opswire.yaml', 'which values come from the file, the environment, the defaults'],
      ['opswire config schema > opswire.schema.json', 'let an editor check and complete the file'],
    ],
  },
  version: {
    summary: 'print the version',
    flags: [],
    examples: [['opswire version', 'of opswire and of Node']],
  },
} satisfies Record<string, CommandSpec>

export type CommandName = keyof typeof COMMANDS

export function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name)
}

/** What `opswire --help` prints. */
export function overview(): string {
  const width = Math.max(...Object.keys(COMMANDS).map(name => name.length))
  return [
    'opswire: events of Cisco APIC, VMware Automation Config and VMware Cloud Director into NATS JetStream',
    '',
    'Usage: opswire COMMAND [FLAGS]',
    '',
    ...Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(width)}  ${summary}`),
    '',
    'opswire COMMAND --help tells more, with examples. To begin:',
    '',
    '  opswire demo                               see it work, nothing to configure',
    '  opswire config example > opswire.yaml      start a config',
    '  opswire check -c opswire.yaml              is it right?',
    '  opswire run -c opswire.yaml                run it',
    '  opswire query -c opswire.yaml fabric-a class faultInst    ask one of the sources something',
    '',
    'Exit codes: 0 clean, 64 wrong usage, 69 unavailable, 70 a bug, 75 forced stop, 77 credentials refused,',
    '78 bad or missing config.',
    '',
  ].join('\n')
}

/** Where one example is longer, what each does stands above it and not beside it. */
const MOST_BESIDE = 70

/** What `opswire COMMAND --help` prints. */
export function helpFor(name: CommandName): string {
  const spec: CommandSpec = COMMANDS[name]
  const words = Object.entries(spec.words ?? {})
  const usage = ['opswire', name, ...(words.length > 0 ? [words.map(([word]) => word).join('|')] : [])]
  if (spec.operands !== undefined) usage.push(spec.operands)
  const flags = spec.flags.map(flag => [spellFlag(flag), flag.says, flag.under] as const)
  const rows = [...words, ...flags.filter(([, , under]) => under === undefined), ['-h, --help', 'this text'] as const]
  const headings = [...new Set(flags.flatMap(([, , under]) => under ?? []))]
  const width = Math.max(...[...rows, ...flags].map(([left]) => left.length))
  const wide = Math.max(...spec.examples.map(([command]) => command.length))
  const line = ([left, right]: readonly [string, string, ...unknown[]]): string => `  ${left.padEnd(width)}  ${right}`
  return [
    `${usage.join(' ')}${spec.flags.length > 0 ? ' [FLAGS]' : ''}: ${spec.summary}`,
    '',
    ...rows.map(line),
    ...headings.flatMap(heading => ['', heading, ...flags.filter(([, , under]) => under === heading).map(line)]),
    ...(spec.notes === undefined ? [] : ['', ...spec.notes]),
    '',
    'Examples:',
    ...spec.examples.flatMap(([command, does]) =>
      wide <= MOST_BESIDE ? [`  ${command.padEnd(wide)}  # ${does}`] : [`  # ${does}`, `  ${command}`],
    ),
    '',
  ].join('\n')
}

/** `-c, --config FILE` */
function spellFlag(flag: Flag): string {
  const short = flag.short === undefined ? '' : `-${flag.short}, `
  const again = flag.many === true ? ' …' : ''
  return `${short}--${flag.name}${flag.value === undefined ? '' : ` ${flag.value}`}${again}`
}
