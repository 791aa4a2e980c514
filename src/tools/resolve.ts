/**
 * Finds a tool (nats-server, Prometheus, …), and fetches it when there is none: for the demo and the tests, never at
 * install time. Order: the tool's own variable (NATS_SERVER_BIN, …), PATH, the cache folder, then the packages of the
 * catalogue, from release pages and Debian's pool.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, createReadStream, existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { describe } from '../errors.ts'
import { type Clock, systemClock } from '../scheduler/clock.ts'
import { bind, boundPath, isBound } from './bound.ts'
import { PACKAGES, type Package, TOOLS, type ToolName } from './catalogue.ts'
import { download } from './download.ts'
import { unpack } from './unpack.ts'

const run = promisify(execFile)

/** Begins the names of what is being fetched, and how long nothing of it is written at most, ms. */
const PARTIAL = '.partial-'
const STALE_MS = 3_600_000

export interface Wanted {
  /** Lowest version that will do, e.g. `2.12`; the tool's own lowest (`TOOLS`) unless given. */
  readonly atLeast?: string
  /** This version and no other, e.g. `2.9.10`. */
  readonly exactly?: string
}

export interface Found {
  readonly path: string
  readonly version: string
}

export interface ResolveOptions {
  readonly clock?: Clock
  readonly env?: NodeJS.ProcessEnv
  /** Takes progress lines; stderr unless given. */
  readonly say?: (line: string) => void
  readonly packages?: readonly Package[]
}

/**
 * A program that fits, or why there is none. Never throws. What was fetched stays in `$OPSWIRE_TOOLS_DIR`, else
 * `$XDG_CACHE_HOME/opswire/tools`, else `~/.cache/opswire/tools`; several processes may do this at once.
 */
export async function resolveTool(
  name: ToolName,
  wanted: Wanted = {},
  options: ResolveOptions = {},
): Promise<Found | { readonly missing: string }> {
  const { env = process.env, packages = PACKAGES } = options
  const { variable, files, atLeast } = TOOLS[name]
  const versions = { atLeast, ...wanted }
  const reasons: string[] = []
  const consider = async (path: string, place: string): Promise<Found | undefined> => {
    try {
      const version = await versionOf(path)
      if (fits(version, versions)) return { path, version }
      reasons.push(`${place} is ${version}`)
    } catch (error) {
      reasons.push(`${place} does not run (${describe(error)})`)
    }
    return undefined
  }
  const chosen = env[variable]
  const onPath = findOnPath(env['PATH'] ?? '', files)
  const local =
    (chosen === undefined || chosen === '' ? undefined : await consider(chosen, variable)) ??
    (onPath === undefined ? undefined : await consider(onPath, `${basename(onPath)} on PATH`))
  if (local !== undefined) return local
  const fitting = packages
    .filter(one => one.programs.includes(name) && fits(one.version, versions))
    .filter(one => one.platform === process.platform && one.arch === process.arch)
  if (fitting.length === 0) reasons.push(`none is known for ${process.platform} ${process.arch}`)
  const cache = cacheFolder(env)
  for (const one of fitting) {
    const found = await cached(cache, one, name)
    const tool = found === undefined ? undefined : await consider(found, found)
    if (tool !== undefined) return tool
  }
  for (const one of fitting) {
    try {
      const tool = await consider(await fetchPackage(cache, one, name, options), one.url)
      if (tool !== undefined) return tool
    } catch (error) {
      reasons.push(`${new URL(one.url).host}: ${describe(error)}`)
    }
  }
  const what = versions.exactly ?? `${versions.atLeast} or newer`
  return { missing: `no ${name} ${what}: ${reasons.join('; ')}` }
}

/** `2.12` fits `2.12.0` and above. */
export function fits(version: string, wanted: Wanted): boolean {
  if (wanted.exactly !== undefined) return version === wanted.exactly
  const least = (wanted.atLeast ?? '0').split('.').map(Number)
  const have = version.split('.').map(Number)
  for (const [index, part] of least.entries()) {
    const difference = (have[index] ?? 0) - part
    if (difference !== 0) return difference > 0
  }
  return true
}

async function versionOf(path: string): Promise<string> {
  const { stdout, stderr } = await run(path, ['--version'], { timeout: 20_000 })
  // Older releases of Prometheus tell it on standard error.
  const version = /(\d+\.\d+\.\d+)/.exec(`${stdout}${stderr}`)?.[1]
  if (version === undefined) throw new Error('tells no version')
  return version
}

function findOnPath(path: string, names: readonly string[]): string | undefined {
  const places = path.split(delimiter).flatMap(directory => names.map(name => join(directory, name)))
  return places.find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Where what was fetched or unpacked stays. */
export function cacheFolder(env: NodeJS.ProcessEnv): string {
  const own = env['OPSWIRE_TOOLS_DIR']
  if (own !== undefined && own !== '') return own
  const xdg = env['XDG_CACHE_HOME']
  return join(xdg !== undefined && xdg !== '' ? xdg : join(homedir(), '.cache'), 'opswire', 'tools')
}

/** The cache's place for a package: the archive's digest is in the name, so another pin is another place. */
function placeOf(cache: string, one: Package): string {
  return join(cache, one.programs[0], `${one.version}-${one.arch}-${(one.sha256 ?? 'release').slice(0, 12)}`)
}

/** The cached program, if it is whole and what was pinned; otherwise the place is removed. */
async function cached(cache: string, one: Package, name: ToolName): Promise<string | undefined> {
  const place = placeOf(cache, one)
  const path = join(place, name)
  const bound = one.usrShare?.includes(name) === true
  // What lies there appeared whole. What doesn't must not be removed: another process may put it there in this moment.
  if (!existsSync(place)) return undefined
  try {
    const pin = one.binarySha256?.[name]
    const whole = isProgram(path) && (!bound || (await isBound(place, name)))
    if (whole && (pin === undefined || (await digest(path)) === pin)) return bound ? boundPath(place, name) : path
    await rm(place, { recursive: true, force: true })
  } catch {
    // Not there.
  }
  return undefined
}

/** Fetches, checks and unpacks into the cache; the place appears whole or not at all. Gives the path of `name` in it. */
async function fetchPackage(cache: string, one: Package, name: ToolName, options: ResolveOptions): Promise<string> {
  const { clock = systemClock, say = line => process.stderr.write(`${line}\n`) } = options
  const place = placeOf(cache, one)
  const title = `${one.programs.join(' and ')} ${one.version}`
  await mkdir(dirname(place), { recursive: true })
  await clearPartial(dirname(place), clock.wall() - STALE_MS)
  const scratch = await mkdtemp(join(dirname(place), PARTIAL))
  try {
    say(`fetching ${title} from ${new URL(one.url).host} …`)
    const archive = join(scratch, 'archive')
    const got = await download(clock, one.url, archive)
    const pinned = one.sha256 ?? (await publishedDigest(clock, one, scratch))
    if (got !== pinned) throw new Error(`${basename(one.url)} has SHA-256 ${got}, not ${pinned}`)
    const tree = join(scratch, 'tree')
    await mkdir(tree)
    await unpack(archive, one.form, tree)
    const ready = join(scratch, 'ready')
    await mkdir(ready)
    for (const program of one.programs) {
      const binary = await findBinary(tree, program)
      const pin = one.binarySha256?.[program]
      if (pin !== undefined && (await digest(binary)) !== pin) {
        throw new Error(`the ${program} in ${basename(one.url)} is not the pinned one`)
      }
      await rename(binary, join(ready, program))
    }
    for (const program of one.usrShare ?? []) await bind(tree, ready, program)
    // When another process was faster, what it put there has passed the same checks.
    const failed = await rename(ready, place).catch((error: unknown) => error)
    const path = await cached(cache, one, name)
    if (path === undefined) throw failed ?? new Error(`${place} does not keep what is put there`)
    say(`${title} is in ${place} (SHA-256 ${one.sha256 === undefined ? 'as published' : 'as pinned'})`)
    return path
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** Removes what downloads that were killed have left: nothing in it was written since. Leaves what it may not remove. */
async function clearPartial(folder: string, sinceMs: number): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(PARTIAL)) continue
    const place = join(folder, name)
    try {
      const inside = (await readdir(place)).map(one => join(place, one))
      const times = await Promise.all([place, ...inside].map(async path => (await stat(path)).mtimeMs))
      if (Math.max(...times) < sinceMs) await rm(place, { recursive: true, force: true })
    } catch {
      // Another one's, or gone in this moment.
    }
  }
}

/** What the release itself says the archive's digest is. */
async function publishedDigest(clock: Clock, one: Package, scratch: string): Promise<string> {
  const { sums = 'SHA256SUMS' } = one
  const file = join(scratch, 'sums')
  await download(clock, new URL(sums, one.url).href, file)
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const [sum, name] = line.trim().split(/\s+\*?/)
    if (name === basename(one.url) && sum !== undefined) return sum
  }
  throw new Error(`${sums} has no line for ${basename(one.url)}`)
}

/** The program in an unpacked archive: what can be run under that name, in a `bin` or `sbin` before an init script. */
async function findBinary(tree: string, program: ToolName): Promise<string> {
  const entries = await readdir(tree, { recursive: true, withFileTypes: true })
  const named = entries
    .filter(entry => entry.isFile() && TOOLS[program].files.includes(entry.name))
    .map(entry => join(entry.parentPath, entry.name))
    .filter(isProgram)
  const found = named.find(path => /[/\\]s?bin[/\\][^/\\]+$/.test(path)) ?? named[0]
  if (found === undefined) throw new Error(`no ${program} in the archive`)
  return found
}

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}
