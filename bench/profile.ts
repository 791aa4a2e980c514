/** Where the daemon's time goes in a flood: V8's profile of a whole-way lap, summed by what the time is for and by function. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Pushed } from './frames.ts'
import type { Load } from './messages.ts'
import type { Rig } from './rig.ts'
import { daemonLap } from './whole-way.ts'

export interface Share {
  readonly name: string
  /** Part of the time that the process's threads were not idle. */
  readonly self: number
}

export interface ProfileSummary {
  /** What the time was for, the most of it first. */
  readonly work: readonly Share[]
  /** The functions with the most time of their own. */
  readonly hottest: readonly Share[]
}

interface Node {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  readonly children?: readonly number[]
}

interface Profile {
  readonly nodes: readonly Node[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const IDLE = new Set(['(idle)', '(program)', '(root)'])

/** By the file of a function, or of the nearest one below it on the stack that has one of these. */
const WORK: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/node_modules\/ws\/|apic\/socket\.|internal\/(?:tls|_tls)|node:_?tls/, 'socket: ws and TLS'],
  [/apic\/(?:decode|xml)\./, 'decode'],
  [/subscribers\/(?:intake|spelt)\./, 'encode'],
  [/src\/event\./, 'ids and envelope'],
  [/\/subscribers\//, 'normalise, mirror, outbox'],
  [/\/store\//, 'store'],
  [/\/sinks\/|node_modules\/@nats-io\//, 'pump and publisher'],
  [/\/ops\/|node_modules\/(?:pino|prom-client)\//, 'metrics, log, status'],
]

export interface LapProfile extends ProfileSummary {
  readonly cls: Pushed
}

/** One lap each of a log class and of a mirrored one. */
export async function profiles(rig: Rig, load: Omit<Load, 'cls'>, most: number): Promise<LapProfile[]> {
  const laps: LapProfile[] = []
  for (const cls of ['eventRecord', 'faultInst'] as const) {
    laps.push({ cls, ...(await profile(rig, { ...load, cls }, most)) })
  }
  return laps
}

async function profile(rig: Rig, load: Load, most: number): Promise<ProfileSummary> {
  await rig.prepare(load)
  const directory = rig.scratch.path('profile')
  mkdirSync(directory)
  await daemonLap(rig, load, ['--cpu-prof', `--cpu-prof-dir=${directory}`])
  // One file a thread.
  const threads = readdirSync(directory).map(file => JSON.parse(readFileSync(join(directory, file), 'utf8')) as Profile)
  if (threads.length === 0) throw new Error('the daemon left no profile')
  return summary(threads, most)
}

export function summary(threads: readonly Profile[], most: number): ProfileSummary {
  const work = new Map<string, number>()
  const functions = new Map<string, number>()
  let busy = 0
  for (const { nodes, samples, timeDeltas } of threads) {
    const names = new Map(nodes.map(node => [node.id, nameOf(node)]))
    const works = worksOf(nodes)
    for (const [index, id] of samples.entries()) {
      const name = names.get(id) ?? ''
      if (IDLE.has(name)) continue
      const us = timeDeltas[index] ?? 0
      busy += us
      add(functions, name, us)
      add(work, works.get(id) ?? OTHER, us)
    }
  }
  const shares = (times: ReadonlyMap<string, number>): Share[] =>
    [...times].map(([name, us]) => ({ name, self: us / busy })).sort((a, b) => b.self - a.self)
  return { work: shares(work), hottest: shares(functions).slice(0, most) }
}

const OTHER = 'Node itself, start-up, other'

function worksOf(nodes: readonly Node[]): Map<number, string> {
  const byId = new Map(nodes.map(node => [node.id, node]))
  const works = new Map<number, string>()
  const visit = (id: number, inherited: string): void => {
    const node = byId.get(id)
    if (node === undefined) return
    const { functionName, url } = node.callFrame
    const own = functionName === '(garbage collector)' ? 'garbage collection' : WORK.find(([one]) => one.test(url))?.[1]
    works.set(id, own ?? inherited)
    for (const child of node.children ?? []) visit(child, own ?? inherited)
  }
  const [root] = nodes
  if (root !== undefined) visit(root.id, OTHER)
  return works
}

function nameOf({ callFrame }: Node): string {
  const place = /(?:src|node_modules|node:.*?)\/?[^/]*.*$/.exec(callFrame.url)?.[0] ?? callFrame.url
  const name = callFrame.functionName === '' ? '(anonymous)' : callFrame.functionName
  return place === '' ? name : `${name} ${place}:${callFrame.lineNumber + 1}`
}

function add(times: Map<string, number>, name: string, us: number): void {
  times.set(name, (times.get(name) ?? 0) + us)
}
