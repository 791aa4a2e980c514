/** Reads a Dockerfile and carries its steps out without an engine: each stage is a folder, each RUN a process that has it for its root. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { basename, dirname, join, posix } from 'node:path'
import { inOwnRoot, type Loan } from '../support/own-root.ts'

export interface Instruction {
  readonly word: string
  readonly rest: string
}

/** Comments left out, continued lines joined. */
export function instructionsOf(text: string): Instruction[] {
  const lines = text
    .split('\n')
    .filter(line => !/^\s*(#|$)/.test(line))
    .join('\n')
    .replace(/\\\n/g, ' ')
    .split('\n')
  return lines.map(line => {
    const [, word = '', rest = ''] = /^\s*(\w+)\s+(.*)$/.exec(line) ?? []
    return { word: word.toUpperCase(), rest: rest.trim() }
  })
}

export interface Image {
  readonly root: string
  directory: string
  readonly env: Record<string, string>
  user: string | undefined
  entrypoint: readonly string[]
  command: readonly string[]
  readonly volumes: string[]
  stopSignal: string | undefined
}

/** What stands in for a base image. */
export interface Base {
  /** Makes the folder that the stage begins with, and says what it borrows from this machine. */
  prepare(
    image: string,
    root: string,
  ): { readonly loans: readonly Loan[]; readonly env: Readonly<Record<string, string>> }
  say(line: string): void
}

/** Carries out every instruction, in order; `context` is the build's folder. Throws for one that it does not know, and for a RUN that fails. */
export function carryOut(
  text: string,
  context: string,
  scratch: string,
  base: Base,
): { image: Image; loans: readonly Loan[] } {
  const stages = new Map<string, Image>()
  let image: Image | undefined
  let loans: readonly Loan[] = []
  for (const { word, rest } of instructionsOf(text)) {
    if (word === 'FROM') {
      const [from = '', , name = `stage-${stages.size}`] = rest.split(/\s+/)
      const root = join(scratch, name)
      mkdirSync(root)
      const { env, loans: lent } = base.prepare(from, root)
      image = {
        root,
        directory: '/',
        env: { ...env },
        user: undefined,
        entrypoint: [],
        command: [],
        volumes: [],
        stopSignal: undefined,
      }
      loans = lent
      stages.set(name, image)
      continue
    }
    if (image === undefined) throw new Error(`${word} before FROM`)
    step(word, rest, image, { context, loans, stages, say: base.say })
  }
  if (image === undefined) throw new Error('no FROM')
  return { image, loans }
}

interface Place {
  readonly context: string
  readonly loans: readonly Loan[]
  readonly stages: ReadonlyMap<string, Image>
  say(line: string): void
}

function step(word: string, rest: string, image: Image, place: Place): void {
  switch (word) {
    case 'WORKDIR':
      image.directory = posix.resolve(image.directory, rest)
      mkdirSync(join(image.root, image.directory), { recursive: true })
      return
    case 'ENV': {
      const [name = '', value = ''] = rest.split('=', 2)
      image.env[name] = value
      return
    }
    case 'COPY':
      copy(rest, image, place)
      return
    case 'RUN':
      runIn(rest, image, place)
      return
    case 'USER':
      image.user = rest
      return
    case 'VOLUME':
      image.volumes.push(rest)
      return
    case 'STOPSIGNAL':
      image.stopSignal = rest
      return
    case 'ENTRYPOINT':
      image.entrypoint = JSON.parse(rest) as string[]
      return
    case 'CMD':
      image.command = JSON.parse(rest) as string[]
      return
    case 'EXPOSE':
      return
    default:
      throw new Error(`no rule for ${word} ${rest}`)
  }
}

/** A folder's content goes into the destination, a file under its name if that ends with a slash or there are several. */
function copy(rest: string, image: Image, { context, stages }: Place): void {
  const words = rest.split(/\s+/)
  const stage = words[0]?.startsWith('--from=') ? words.shift()?.slice('--from='.length) : undefined
  const destination = words.pop() ?? ''
  const from = stage === undefined ? context : stages.get(stage)?.root
  if (from === undefined) throw new Error(`no stage ${stage}`)
  const to = join(image.root, posix.resolve(image.directory, destination))
  for (const word of words) {
    if (stage === undefined) notIgnored(context, word)
    const source = join(from, word)
    const folder = statSync(source).isDirectory()
    const whole = !folder && (destination.endsWith('/') || words.length > 1)
    const target = whole ? join(to, basename(source)) : to
    mkdirSync(folder ? target : dirname(target), { recursive: true })
    cpSync(source, target, { recursive: true, verbatimSymlinks: true })
  }
}

/** An engine sees nothing of the context that `.dockerignore` leaves out; ours names each exception to `*`. */
function notIgnored(context: string, word: string): void {
  const lines = existsSync(join(context, '.dockerignore'))
    ? readFileSync(join(context, '.dockerignore'), 'utf8').split('\n')
    : []
  if (lines.includes('*') && !lines.includes(`!${posix.normalize(word)}`))
    throw new Error(`.dockerignore leaves ${word} out`)
}

function runIn(command: string, image: Image, { loans, say }: Place): void {
  const env = Object.entries(image.env).map(([name, value]) => `${name}=${value}`)
  const own = { root: image.root, loans, readOnly: false, directory: image.directory }
  const { command: program, args } = inOwnRoot(own, ['/usr/bin/env', '-i', ...env, '/bin/sh', '-c', command])
  const start = performance.now()
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  say(`RUN ${command}: ${status} after ${((performance.now() - start) / 1000).toFixed(1)} s`)
  if (status !== 0) throw new Error(`RUN ${command} ended with ${status}: ${stdout}${stderr}`)
}
