/**
 * Finds a nats-server, and fetches one when there is none: for the demo and the tests, never at install time.
 * Order: NATS_SERVER_BIN, PATH, the cache folder, the project's release page, Debian's pool.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { basename, delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { describe } from '../errors.ts'
import { type Clock, systemClock } from '../scheduler/clock.ts'
import { PACKAGES, type Package } from './catalogue.ts'
import { download } from './download.ts'
import { unpack } from './unpack.ts'

const run = promisify(execFile)
const NAME = 'nats-server'

export interface Wanted {
  /** Lowest version that will do, e.g. `2.12`. Default `2.9`. */
  readonly atLeast?: string
  /** This version and no other, e.g. `2.9.10`. */
  readonly exactly?: string
}

export interface Tool {
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
 * A nats-server that fits, or why there is none. Never throws. What was fetched stays in `$OPSWIRE_TOOLS_DIR`, else
 * `$XDG_CACHE_HOME/opswire/tools`, else `~/.cache/opswire/tools`; several processes may do this at once.
 */
export async function resolveNatsServer(
  wanted: Wanted = {},
  options: ResolveOptions = {},
): Promise<Tool | { readonly missing: string }> {
  const { env = process.env, packages = PACKAGES } = options
  const reasons: string[] = []
  const consider = async (path: string, place: string): Promise<Tool | undefined> => {
    try {
      const version = await versionOf(path)
      if (fits(version, wanted)) return { path, version }
      reasons.push(`${place} is ${version}`)
    } catch (error) {
      reasons.push(`${place} does not run (${describe(error)})`)
    }
    return undefined
  }
  const chosen = env['NATS_SERVER_BIN']
  const onPath = findOnPath(env['PATH'] ?? '')
  const local =
    (chosen === undefined || chosen === '' ? undefined : await consider(chosen, 'NATS_SERVER_BIN')) ??
    (onPath === undefined ? undefined : await consider(onPath, 'nats-server on PATH'))
  if (local !== undefined) return local
  const fitting = packages.filter(
    one => one.platform === process.platform && one.arch === process.arch && fits(one.version, wanted),
  )
  if (fitting.length === 0) reasons.push(`none is known for ${process.platform} ${process.arch}`)
  const cache = join(cacheFolder(env), NAME)
  for (const one of fitting) {
    const found = await cached(cache, one)
    const tool = found === undefined ? undefined : await consider(found, found)
    if (tool !== undefined) return tool
  }
  for (const one of fitting) {
    try {
      const tool = await consider(await fetchPackage(cache, one, options), one.url)
      if (tool !== undefined) return tool
    } catch (error) {
      reasons.push(`${new URL(one.url).host}: ${describe(error)}`)
    }
  }
  const what = wanted.exactly ?? `${wanted.atLeast ?? '2.9'} or newer`
  return { missing: `no nats-server ${what}: ${reasons.join('; ')}` }
}

/** `2.12` fits `2.12.0` and above. */
export function fits(version: string, wanted: Wanted): boolean {
  if (wanted.exactly !== undefined) return version === wanted.exactly
  const least = (wanted.atLeast ?? '2.9').split('.').map(Number)
  const have = version.split('.').map(Number)
  for (const [index, part] of least.entries()) {
    const difference = (have[index] ?? 0) - part
    if (difference !== 0) return difference > 0
  }
  return true
}

async function versionOf(path: string): Promise<string> {
  const { stdout } = await run(path, ['--version'], { timeout: 20_000 })
  const version = /(\d+\.\d+\.\d+)/.exec(stdout)?.[1]
  if (version === undefined) throw new Error('tells no version')
  return version
}

function findOnPath(path: string): string | undefined {
  for (const directory of path.split(delimiter)) {
    const file = join(directory, NAME)
    try {
      accessSync(file, constants.X_OK)
      return file
    } catch {
      // Not here: the next one.
    }
  }
  return undefined
}

function cacheFolder(env: NodeJS.ProcessEnv): string {
  const own = env['OPSWIRE_TOOLS_DIR']
  if (own !== undefined && own !== '') return own
  const xdg = env['XDG_CACHE_HOME']
  return join(xdg !== undefined && xdg !== '' ? xdg : join(homedir(), '.cache'), 'opswire', 'tools')
}

/** The cache's place for a package: the archive's digest is in the name, so another pin is another place. */
function placeOf(cache: string, one: Package): string {
  return join(cache, `${one.version}-${one.arch}-${(one.sha256 ?? 'release').slice(0, 12)}`)
}

/** The cached binary, if it is whole and what was pinned; anything else is removed. */
async function cached(cache: string, one: Package): Promise<string | undefined> {
  const path = join(placeOf(cache, one), NAME)
  try {
    if (one.binarySha256 === undefined || (await digest(path)) === one.binarySha256) {
      accessSync(path, constants.X_OK)
      return path
    }
    await rm(dirname(path), { recursive: true, force: true })
  } catch {
    // Not there.
  }
  return undefined
}

/** Fetches, checks and unpacks into the cache; the place appears whole or not at all. */
async function fetchPackage(cache: string, one: Package, options: ResolveOptions): Promise<string> {
  const { clock = systemClock, say = line => process.stderr.write(`${line}\n`) } = options
  await mkdir(cache, { recursive: true })
  const scratch = await mkdtemp(join(cache, '.partial-'))
  try {
    say(`fetching nats-server ${one.version} from ${new URL(one.url).host} …`)
    const archive = join(scratch, 'archive')
    const got = await download(clock, one.url, archive)
    const pinned = one.sha256 ?? (await publishedDigest(clock, one, scratch))
    if (got !== pinned) throw new Error(`${basename(one.url)} has SHA-256 ${got}, not ${pinned}`)
    const tree = join(scratch, 'tree')
    await mkdir(tree)
    await unpack(archive, one.form, tree)
    const binary = await findBinary(tree)
    if (one.binarySha256 !== undefined && (await digest(binary)) !== one.binarySha256) {
      throw new Error(`the binary in ${basename(one.url)} is not the pinned one`)
    }
    const ready = join(scratch, 'ready')
    await mkdir(ready)
    await rename(binary, join(ready, NAME))
    const place = placeOf(cache, one)
    try {
      await rename(ready, place)
    } catch (error) {
      // Another process was faster: what it put there has passed the same checks.
      if ((await cached(cache, one)) === undefined) throw error
    }
    say(
      `nats-server ${one.version} is in ${place} (SHA-256 ${one.sha256 === undefined ? 'as published' : 'as pinned'})`,
    )
    return join(place, NAME)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** What the release itself says the archive's digest is. */
async function publishedDigest(clock: Clock, one: Package, scratch: string): Promise<string> {
  const file = join(scratch, 'SHA256SUMS')
  await download(clock, new URL('SHA256SUMS', one.url).href, file)
  for (const line of (await readFile(file, 'utf8')).split('\n')) {
    const [sum, name] = line.trim().split(/\s+\*?/)
    if (name === basename(one.url) && sum !== undefined) return sum
  }
  throw new Error(`SHA256SUMS has no line for ${basename(one.url)}`)
}

async function findBinary(tree: string): Promise<string> {
  for (const entry of await readdir(tree, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && entry.name === NAME) {
      const path = join(entry.parentPath, entry.name)
      try {
        accessSync(path, constants.X_OK)
        return path
      } catch {
        // Not the program: a completion file or the like.
      }
    }
  }
  throw new Error('no nats-server in the archive')
}

async function digest(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}
