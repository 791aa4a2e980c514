/** What a run that went wrong leaves to whoever looks into it: all that is known of the faults concerned, with its times. */
import type { OpsEvent } from '../../../src/event.ts'
import type { Happening } from '../../../src/report.ts'
import type { ApicRig } from '../../support/apic-source.ts'
import { rawOf } from '../oracle.ts'
import type { Judgement } from '../whole/judge.ts'
import type { LifeSetting } from './setting.ts'

/** Something that happened, or was done, at this wall time of the run. */
export interface Happened {
  readonly at: number
  readonly happening?: Happening
  readonly text?: string
}

export interface EvidenceOptions {
  readonly setting: LifeSetting
  readonly rig: ApicRig
  readonly judgement: Judgement
  readonly happened: readonly Happened[]
  readonly beganAt: number
}

interface Line {
  readonly at: number
  readonly text: string
}

const NOISE = new Set([
  'feed_proof',
  'feed_cursor',
  'feed_late',
  'feed_mode',
  'lease_renewed',
  'appended',
  'feed_recovered',
])

/** Lines to be read: the wrongs, the settings, and one story in the order of time for each fault concerned. */
export function evidenceOf(options: EvidenceOptions): string[] {
  const { setting, rig, judgement, happened } = options
  const common = [...requestsOf(rig), ...subscriptionsOf(rig), ...happened.flatMap(one => lineOf(one))]
  const dns = [...new Set(rig.simulator.fabric.changes.map(({ change }) => change.dn))]
  const concerned = dns.filter(dn => judgement.wrongs.some(line => line.includes(`${dn} `)))
  return [
    `seed ${setting.seed}: ${JSON.stringify(setting)}`,
    ...judgement.wrongs.slice(0, 40),
    ...concerned.flatMap(dn => [
      '',
      `=== ${dn}`,
      ...story([...common, ...recordsOf(rig, dn), ...toldOf(rig, happened, dn)]),
    ]),
  ]
}

function story(lines: readonly Line[]): string[] {
  return lines
    .toSorted((a, b) => a.at - b.at)
    .map(({ at, text }) => `${new Date(at).toISOString().slice(14, -1)} ${text}`)
}

function lineOf({ at, happening, text }: Happened): Line[] {
  if (text !== undefined) return [{ at, text }]
  if (happening === undefined || NOISE.has(happening.type)) return []
  if (happening.type === 'request' && happening.result === 'ok') return []
  return [{ at, text: `    ${JSON.stringify(happening)}` }]
}

function requestsOf({ simulator }: ApicRig): Line[] {
  return simulator.record.requests
    .filter(({ operation }) => operation === 'query' || operation === 'subscribe' || operation === 'login')
    .filter(({ path }) => !/info\.json|infraWiNode|topSystem|fabricNode/.test(path))
    .map(({ at, operation, path, status }) => ({ at, text: `  asked ${operation} ${path.slice(0, 200)} → ${status}` }))
}

function subscriptionsOf({ simulator }: ApicRig): Line[] {
  return simulator.record.subscriptions.flatMap(({ id, createdAt, endedAt, endedBy }) => [
    { at: createdAt, text: `  subscription ${id.slice(-4)} made` },
    ...(endedAt === undefined ? [] : [{ at: endedAt, text: `  subscription ${id.slice(-4)} ended by ${endedBy}` }]),
  ])
}

/** What the fabric did to this fault, and the rows of its log with the time at which they showed. */
function recordsOf({ simulator: { fabric } }: ApicRig, dn: string): Line[] {
  const entries = [...fabric.logs.ofClass('faultRecord', Number.POSITIVE_INFINITY)]
  const shift = fabric.time.wall() - fabric.time.now()
  const visible = new Map(entries.map(entry => [entry.dn, Number(Reflect.get(entry, 'visibleFrom')) + shift]))
  const owner = dn.slice(0, dn.lastIndexOf('/'))
  return fabric.changes.flatMap(({ at, change: { className, dn: own, kind, whole } }) => {
    const { severity, lc, occur, lastTransition, affected, ind, created } = whole
    const what = `${severity} ${lc} occur ${occur} lastTransition ${lastTransition?.slice(14, 23)}`
    if (own === dn) return [{ at, text: `FABRIC ${kind} ${kind === 'deleted' ? '' : what}` }]
    if (className !== 'faultRecord' || (affected !== owner && affected !== dn)) return []
    const shownAt = visible.get(own) ?? at
    return [{ at: shownAt, text: `ROW shows: ${ind} ${what} created ${created?.slice(14, 23)}` }]
  })
}

/** What was told of it, and the gaps, at the time of their commit. */
function toldOf(rig: ApicRig, happened: readonly Happened[], dn: string): Line[] {
  const committed = new Map<string, number>()
  for (const { at, happening } of happened) {
    if (happening?.type === 'appended') for (const { id } of happening.facts) committed.set(id, at)
  }
  const at = (event: OpsEvent): number => committed.get(event.id) ?? Date.parse(event.recordedtime)
  return rig.events().flatMap(event => {
    const { gap } = event.data
    if (gap !== undefined) {
      return [{ at: at(event), text: `TOLD GAP ${gap.from?.slice(14, 23)} – ${gap.to?.slice(14, 23)} ${gap.reason}` }]
    }
    if (event.subject !== dn) return []
    const { severity, lc, occur } = rawOf(event, 'faultInst') ?? {}
    const what = `${event.type.replace('apic.fault.', '')} ${event.origin} ${severity} ${lc} occur ${occur}`
    return [{ at: at(event), text: `TOLD ${what} of ${event.time?.slice(14, 23)}` }]
  })
}
