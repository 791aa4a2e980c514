/** Where the daemon's time goes in a flood: V8's profile of one whole-way lap, summed by function. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Load } from './messages.ts'
import type { Rig } from './rig.ts'
import { daemonLap } from './whole-way.ts'

export interface Hot {
  readonly where: string
  /** Part of the time that the process was not idle. */
  readonly self: number
}

interface Profile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

const IDLE = new Set(['(idle)', '(program)', '(root)'])

/** The functions with the most time of their own, hottest first. */
export async function profile(rig: Rig, load: Load, most: number): Promise<Hot[]> {
  await rig.prepare(load)
  const directory = rig.scratch.path('profile')
  mkdirSync(directory)
  await daemonLap(rig, load, ['--cpu-prof', `--cpu-prof-dir=${directory}`])
  const [file] = readdirSync(directory)
  if (file === undefined) throw new Error('the daemon left no profile')
  return hottest(JSON.parse(readFileSync(join(directory, file), 'utf8')) as Profile).slice(0, most)
}

function hottest({ nodes, samples, timeDeltas }: Profile): Hot[] {
  const names = new Map<number, string>()
  for (const { id, callFrame } of nodes) {
    const place = /(?:src|node_modules|node:.*?)\/?[^/]*.*$/.exec(callFrame.url)?.[0] ?? callFrame.url
    const name = callFrame.functionName === '' ? '(anonymous)' : callFrame.functionName
    names.set(id, place === '' ? name : `${name} ${place}:${callFrame.lineNumber + 1}`)
  }
  const times = new Map<string, number>()
  let busy = 0
  for (const [index, id] of samples.entries()) {
    const name = names.get(id) ?? ''
    if (IDLE.has(name)) continue
    const us = timeDeltas[index] ?? 0
    busy += us
    times.set(name, (times.get(name) ?? 0) + us)
  }
  return [...times].map(([where, us]) => ({ where, self: us / busy })).sort((a, b) => b.self - a.self)
}
