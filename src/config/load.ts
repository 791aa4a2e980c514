/** A config file and the environment → a checked config, or every problem at once. */
import { hash } from 'node:crypto'
import { open as openFile } from 'node:fs/promises'
import { parseFile } from './document.ts'
import { explain } from './explain.ts'
import type { Path } from './outline.ts'
import { applyOverrides, type Environment, type Override } from './overrides.ts'
import { ConfigInvalid, type Finding, inOrder } from './problems.ts'
import { type Config, configSchema } from './schema.ts'
import { warningsOf } from './warnings.ts'

/** Where a value comes from. */
export type ValueOrigin = { readonly line: number; readonly column: number } | { readonly variable: string }

export interface Loaded {
  readonly file: string
  /** SHA-256 of the file as it was read, in hex: tells two machines' configs apart. */
  readonly hash: string
  readonly config: Config
  /** Things that work but should be known, in the file's order. */
  readonly warnings: readonly Finding[]
  /** What was written: the file's values with the overrides in them, before defaults. Holds inline secrets. */
  readonly input: unknown
  /** Where the value at `path`, which is in `input`, was written. */
  origin(path: Path): ValueOrigin
}

/** What only the rooms behind the config can see: e.g. a question that can't be asked, or goes out in other words. */
export type Judge = (config: Config) => {
  readonly problems: readonly Finding[]
  readonly warnings: readonly Finding[]
}

/** More than this is not a config file. */
const MOST_BYTES = 4 * 1024 * 1024

/**
 * Reads, overlays and checks. Throws `ConfigInvalid` (exit code 78) with every problem found: each with its place,
 * what would be allowed and the nearest name. Reads no secret.
 */
export async function loadConfig(path: string, env: Environment, judge?: Judge): Promise<Loaded> {
  return parseConfig(await readText(path), path, env, judge)
}

/** The same for a text at hand; `file` is how messages call it. */
export async function parseConfig(
  text: string,
  file: string,
  env: Environment = {},
  judge: Judge = () => ({ problems: [], warnings: [] }),
): Promise<Loaded> {
  const parsed = parseFile(text)
  if (parsed.problems.length > 0) throw new ConfigInvalid(file, parsed.problems)
  const top = parsed.value
  if (typeof top !== 'object' || top === null || Array.isArray(top)) {
    const what = top === null || top === undefined ? 'is empty' : 'does not begin with keys such as "sources:"'
    const message = `the file ${what}; "opswire config example" prints one to start from`
    throw new ConfigInvalid(file, [{ code: 'syntax', path: [], message, line: 1, column: 1 }])
  }
  const { value: input, overrides, problems } = applyOverrides(top, env)
  const result = configSchema.safeParse(input)
  const place = (finding: Finding): Finding => placed(finding, parsed, overrides)
  if (!result.success || problems.length > 0) {
    const issues = result.success ? [] : explain(result.error.issues, input)
    throw new ConfigInvalid(file, [...problems, ...issues].map(place))
  }
  const further = judge(result.data)
  if (further.problems.length > 0) throw new ConfigInvalid(file, further.problems.map(place))
  const warnings = [...(await warningsOf(result.data, input, env)), ...further.warnings]
  return {
    file,
    hash: hash('sha256', text, 'hex'),
    config: result.data,
    warnings: inOrder(warnings.map(place)),
    input,
    origin: path => {
      const variable = overrideOf(path, overrides)
      return variable === undefined ? parsed.locate(path) : { variable }
    },
  }
}

/** Puts line and column, or the variable, to a finding. */
function placed(finding: Finding, parsed: ReturnType<typeof parseFile>, overrides: readonly Override[]): Finding {
  if (finding.variable !== undefined || finding.line !== undefined) return finding
  const variable = overrideOf(finding.path, overrides)
  if (variable !== undefined) return { ...finding, variable }
  if (finding.path.length === 0 && finding.code !== 'rule') return finding
  return {
    ...finding,
    ...(finding.code === 'unknown_key' ? parsed.locateKey(finding.path) : parsed.locate(finding.path)),
  }
}

function overrideOf(path: Path, overrides: readonly Override[]): string | undefined {
  return overrides.find(override => override.path.every((step, index) => step === path[index]))?.variable
}

async function readText(path: string): Promise<string> {
  const refuse = (message: string): ConfigInvalid => new ConfigInvalid(path, [{ code: 'file', path: [], message }])
  let bytes: Buffer
  try {
    const handle = await openFile(path, 'r')
    try {
      const stat = await handle.stat()
      if (stat.isDirectory()) throw refuse('is a directory; give the file in it')
      if (!stat.isFile() && !stat.isFIFO()) throw refuse('is not a file')
      if (stat.size > MOST_BYTES) throw refuse(`is larger than ${MOST_BYTES / 1024 / 1024} MiB: not a config file`)
      bytes = await handle.readFile()
    } finally {
      await handle.close()
    }
  } catch (error) {
    if (error instanceof ConfigInvalid) throw error
    const code = String((error as { code?: unknown }).code)
    if (code === 'ENOENT') throw refuse('no such file; "opswire config example" prints one to start from')
    if (code === 'EACCES' || code === 'EPERM') throw refuse('may not be read by this user')
    throw refuse(`can't be read (${code})`)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw refuse('is not UTF-8 text')
  }
}
