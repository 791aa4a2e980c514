/** A command's arguments, read by the table of commands; anything else is refused with the nearest right word. */
import { parseArgs } from 'node:util'
import { nearest } from '../config/nearest.ts'
import { COMMANDS, type CommandName, type CommandSpec } from './commands.ts'
import { UsageError } from './io.ts'

export interface Arguments {
  readonly command: CommandName
  /** The word behind the command (`config show`), for commands that have one. */
  readonly word: string | undefined
  /** The user's own words behind the command, for commands that take them. */
  readonly operands: readonly string[]
  /** The flag's value, or undefined when it was not given. */
  text(flag: string): string | undefined
  /** Every value of a flag that may be given several times. */
  texts(flag: string): readonly string[]
  /** The names of all flags that were given, in that order. */
  readonly flags: readonly string[]
  /** The flag's value. Throws `UsageError` when it was not given. */
  needed(flag: string): string
  has(flag: string): boolean
}

/** Throws `UsageError` (exit code 64) for a flag, a word or a missing value that the command doesn't know. */
export function readArguments(command: CommandName, args: readonly string[]): Arguments {
  const spec: CommandSpec = COMMANDS[command]
  const fail = (message: string): never => {
    throw new UsageError(message, command)
  }
  const options = Object.fromEntries(
    spec.flags.map(flag => [
      flag.name,
      {
        type: flag.value === undefined ? ('boolean' as const) : ('string' as const),
        ...(flag.short === undefined ? {} : { short: flag.short }),
      },
    ]),
  )
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true })
  const values = new Map<string, string[]>()
  const words: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value)
    if (token.kind !== 'option') continue
    const flag = spec.flags.find(one => one.name === token.name)
    if (flag === undefined) return fail(unknownFlag(token.rawName, spec))
    const before = values.get(flag.name) ?? []
    if (before.length > 0 && flag.many !== true) return fail(`--${flag.name} is given twice`)
    if (flag.value === undefined && token.value !== undefined) return fail(`--${flag.name} takes no value`)
    if (flag.value !== undefined && (token.value === undefined || isFlag(token.value, token.inlineValue))) {
      return fail(`${token.rawName} needs a value: ${token.rawName} ${flag.value}`)
    }
    values.set(flag.name, [...before, token.value ?? ''])
  }
  const text = (flag: string): string | undefined => values.get(flag)?.[0]
  return {
    command,
    word: spec.operands === undefined ? readWord(spec, words, fail) : undefined,
    operands: spec.operands === undefined ? [] : words,
    text,
    texts: flag => values.get(flag) ?? [],
    flags: [...values.keys()],
    needed: flag => {
      const short = spec.flags.find(one => one.name === flag)
      return (
        text(flag) ??
        fail(`missing: ${short?.short === undefined ? `--${flag}` : `-${short.short}`} ${short?.value ?? ''}`)
      )
    },
    has: flag => values.has(flag),
  }
}

/** `-c --json`: the value was forgotten, not meant. `--config=--x` is meant. */
function isFlag(value: string, inline: boolean | undefined): boolean {
  return inline !== true && /^-./.test(value)
}

function unknownFlag(written: string, spec: CommandSpec): string {
  const reason = spec.notFlags?.[written.replace(/^-+/, '')]
  if (reason !== undefined) return `${written}: ${reason}`
  const known = [...spec.flags.map(flag => flag.name), 'help']
  const guess = nearest(written.replace(/^-+/, ''), known)
  const hint =
    guess === undefined ? `; there is ${known.map(name => `--${name}`).join(', ')}` : `; did you mean --${guess}?`
  return `unknown flag ${written}${hint}`
}

function readWord(spec: CommandSpec, words: readonly string[], fail: (message: string) => never): string | undefined {
  const allowed = Object.keys(spec.words ?? {})
  const [word, extra] = words
  if (allowed.length === 0) return word === undefined ? undefined : fail(`unexpected "${word}"`)
  if (word === undefined) return fail(`say which: ${allowed.join(', ')}`)
  if (!allowed.includes(word)) {
    const guess = nearest(word, allowed)
    return fail(
      `unknown "${word}"${guess === undefined ? `; there is ${allowed.join(', ')}` : `; did you mean ${guess}?`}`,
    )
  }
  return extra === undefined ? word : fail(`unexpected "${extra}"`)
}
