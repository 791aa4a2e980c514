/** One run: a source, faults that live and die, strikes; and the judge of the whole daemon when all has settled. */
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { type Clock, sleep, systemClock } from '../../../src/scheduler/clock.ts'
import type { Tapped } from '../../../src/sinks/nats-tap.ts'
import { SKEW_MS } from '../../../src/subscribers/apic/fault-news.ts'
import { ApicRig } from '../../support/apic-source.ts'
import { until } from '../../support/manual-clock.ts'
import { owedByFabric } from '../whole/books.ts'
import { Dice } from '../whole/dice.ts'
import { type Judgement, judgeWhole } from '../whole/judge.ts'
import { evidenceOf, type Happened } from './evidence.ts'
import { Lanes } from './lanes.ts'
import { fastClock, type LifeSetting, settingOf } from './setting.ts'
import { type Struck, strikesOf } from './strikes.ts'

export interface LifeOptions {
  readonly seed: number
  /** How long there is work, and strikes: ms of ours. */
  readonly spanMs: number
  /** The source may be stopped and started. */
  readonly restarts: boolean
  /** Records may be written later than their step. */
  readonly delays?: boolean
  readonly setting?: Partial<LifeSetting>
  /** As `Evidence.slackMs`. */
  readonly slackMs?: number
}

export interface LifeResult {
  readonly seed: number
  readonly strikes: number
  readonly subscriptions: number
  readonly judgement: Judgement
  /** All that is known of what is wrong; empty where nothing is. */
  readonly evidence: readonly string[]
}

const FEED = 'class/faultInst'
/** Of each fault a process hands on to the next no more than its last two dozen steps: a reconcile must come before there are more. */
const SLOWER = { stepMs: 150, reconcileSeconds: 1 } as const
/** What is missing may still be found by a reconcile, and judged 5 s (by the run's clock) later: ms of ours. */
const PATIENCE_MS = 15_000
/** A machine that is busy may not even have read the log by then. */
const LEAST_LOOKS = 5
/** A gap's ends are by our idea of the fabric's clock. */
const SLACK_MS = 100

const validate = new Ajv2020({ strict: false }).compile(
  JSON.parse(readFileSync(resolve(import.meta.dirname, '../../../config/event.schema.json'), 'utf8')) as object,
)

export async function runLife(options: LifeOptions): Promise<LifeResult> {
  const { seed, spanMs, restarts, slackMs = SLACK_MS } = options
  const setting: LifeSetting = { ...settingOf(seed, options.delays), ...(restarts ? SLOWER : {}), ...options.setting }
  const { scale } = setting
  const chance = new Dice(seed * 5 + 2)
  // Waits are drawn by it: short ones, as hand-overs are what is looked for.
  const clock = fastClock(scale, () => chance.next() * 0.03)
  const happened: Happened[] = []
  const rig = await rigOf(setting, clock, happened)
  const dice = new Dice(seed * 3)
  const { fabric } = rig.simulator
  const lanes = new Lanes(fabric, clock, new Dice(seed * 7 + 3), setting)
  const struck: Struck = { rig, dice, sleep: ms => sleep(clock, ms), mutes: 0, holds: 0, moving: false }
  try {
    lanes.start()
    await until(() => fabric.changes.length >= setting.before, 'a past')
    lanes.stop()
    // Of a log that is empty, and then is not, nobody knows whether it was purged.
    await shown(rig, clock)
    rig.start()
    await rig.live([FEED])
    // What is so young when the source begins to listen may be taken for what it knows from the snapshot.
    await sleep(clock, SKEW_MS + 100)
    const beganAt = clock.wall()
    lanes.start()
    const strikes = strikesOf(new Dice(seed * 2), spanMs * scale, restarts)
    await Promise.all(
      strikes.map(async ({ kind, atMs, forMs }) => {
        await sleep(clock, atMs)
        happened.push({ at: clock.wall(), text: `STRIKE ${kind.name} (for ${forMs} ms)` })
        await kind.strike(struck, forMs)
        happened.push({ at: clock.wall(), text: `over: ${kind.name}` })
      }),
    )
    lanes.stop()
    const judgement = await settled(rig, clock, () => look(rig, beganAt, slackMs))
    const evidence = judgement.wrongs.length === 0 ? [] : evidenceOf({ setting, rig, judgement, happened, beganAt })
    return {
      seed,
      strikes: strikes.length,
      subscriptions: rig.simulator.record.subscriptions.length,
      judgement,
      evidence,
    }
  } finally {
    lanes.stop()
    await rig.close()
  }
}

async function rigOf(setting: LifeSetting, clock: Clock, happened: Happened[]): Promise<ApicRig> {
  const { refreshTimeoutSeconds, maximumLifetimeSeconds, subscriptionSeconds, recordsLateMs } = setting
  const rig = await ApicRig.make({
    clock,
    start: false,
    wired: true,
    simulator: {
      ...{ refreshTimeoutSeconds, maximumLifetimeSeconds, subscriptionSeconds },
      knobs: { subscriptionsOutliveSocket: setting.subscriptionsOutliveSocket, pushDelayMs: setting.pushDelayMs },
    },
    config: {
      format: setting.format,
      reconcile_interval: `${setting.reconcileSeconds}s`,
      request_timeout: '5s',
    },
    tuning: {
      subscriptionLifeMs: subscriptionSeconds * 1000,
      overlapMs: setting.overlapMs,
      pingMs: 3000,
      requestsPerSecond: 5000,
      burst: 500,
    },
    report: happening => happened.push({ at: clock.wall(), happening }),
  })
  Object.assign(rig.simulator.fabric.knobs, {
    faultRecordFields: setting.fields,
    faultRecordAffected: setting.affected,
    faultRecordDelayMs: setting.recordDelayMs,
    recordsVisibleAfterMs: recordsLateMs,
    recordsPushedAfterMs: recordsLateMs,
  })
  return rig
}

/** Resolves when every row of the fault log that was written can be seen. */
async function shown({ simulator: { fabric } }: ApicRig, clock: Clock): Promise<void> {
  const count = (now: number): number => [...fabric.logs.ofClass('faultRecord', now)].length
  await until(() => count(clock.now()) === count(Number.POSITIVE_INFINITY), 'all rows to show')
}

/** Judges when all is there and one more reconcile has told nothing, or when nothing more can be hoped for. */
async function settled(rig: ApicRig, clock: Clock, judge: () => Judgement): Promise<Judgement> {
  const { fabric, record } = rig.simulator
  // Others than those of faults come all the time: each login leaves one.
  await sleep(clock, 2 * fabric.knobs.faultRecordDelayMs)
  await shown(rig, clock)
  const end = systemClock.now() + PATIENCE_MS
  let isLast = false
  for (let looks = 1; ; looks++) {
    const reads = (): number => record.requests.filter(one => /faultRecord.*asc/.test(one.path)).length
    const before = reads()
    await until(() => reads() > before, 'a reconcile', 60_000)
    await sleep(systemClock, 30)
    const judgement = judge()
    if ((systemClock.now() > end && looks > LEAST_LOOKS) || (isLast && judgement.wrongs.length === 0)) return judgement
    isLast = judgement.wrongs.length === 0
  }
}

function look(rig: ApicRig, beganAt: number, slackMs: number): Judgement {
  // What was before is never told: it could be taken for what was told of an end, which has no time of its own.
  const owed = owedByFabric(rig.simulator.fabric, beganAt).filter(one => one.due && one.feed.endsWith(FEED))
  return judgeWhole({
    owed,
    stream: tapped(rig),
    flawOf: event => (validate(event) ? undefined : JSON.stringify(validate.errors?.[0])),
    mayBe: ({ feed, reason }) => feed === FEED && (reason === 'outage_no_history' || reason === 'paused'),
    slackMs,
  })
}

/** The store's rows, as the stream would have them. */
function tapped({ store }: ApicRig): Tapped[] {
  const found: Tapped[] = []
  const decoder = new TextDecoder()
  for (let after = 0; ; ) {
    const page = store.read(after, 1000)
    for (const { seq, subject, body, recordedMs } of page) {
      after = seq
      const event = JSON.parse(decoder.decode(body)) as { readonly id: string }
      found.push({ seq, subject, event, id: event.id, left: 0, storedMs: recordedMs })
    }
    if (page.length === 0) return found
  }
}
