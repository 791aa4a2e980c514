/** The judge of the soak run finds what is lost, doubled, told in another order or never made. */
import { describe, expect, it } from 'vitest'
import { Ledger } from '../../bench/soak-ledger.ts'
import { Life } from '../../bench/soak-life.ts'
import { eventSchema } from '../../src/event-schema.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { ApicRig } from '../support/apic-source.ts'

type Message = Parameters<Ledger['take']>[0]

/** What a short life makes, by the fabric's record and as the daemon tells it. */
async function lived(): Promise<{ owed: () => Ledger; told: Message[] }> {
  const feeds = ['eventRecord', 'aaaModLR', 'faultInst']
  const rig = await ApicRig.make({ config: { subscriptions: feeds.map(cls => ({ class: cls })) } })
  try {
    await rig.live(feeds.map(cls => `class/${cls}`))
    const { fabric } = rig.simulator
    fabric.knobs.auditCopies = 3
    const over = new AbortController()
    const life = new Life(rig.simulator)
    const living = life.run(500, over.signal)
    await life.flash()
    await rig.until(facts => facts.length > 200, 'two hundred events')
    over.abort()
    await living
    const owed = (): Ledger => {
      const ledger = new Ledger()
      for (const { change, at } of fabric.changes) ledger.owe(change, at)
      return ledger
    }
    const { owed: due } = owed().judge()
    const count = due.eventRecord + due.aaaModLR + due.faultInst
    const facts = await rig.until(all => all.length >= count, 'everything owed')
    const storedMs = systemClock.wall()
    return { owed, told: facts.map(event => ({ event, subject: event.subject ?? '', storedMs })) }
  } finally {
    await rig.close()
  }
}

const { owed, told } = await lived()

function judged(messages: readonly Message[]) {
  const ledger = owed()
  for (const message of messages) ledger.take(message)
  const { lost, surplus, disordered, arrived } = ledger.judge()
  return { lost: lost.length, surplus: surplus.length, disordered: disordered.length, arrived, ledger }
}

const at = (type: string): number => told.findIndex(({ event }) => eventSchema.parse(event).type === type)

describe('the ledger of the soak run', () => {
  it('finds nothing amiss with what the daemon tells', () => {
    const { ledger, ...counts } = judged(told)
    expect(counts).toEqual({ lost: 0, surplus: 0, disordered: 0, arrived: told.length })
    expect([...ledger.passages()].every(({ madeAt, storedAt }) => storedAt !== undefined && storedAt >= madeAt)).toBe(
      true,
    )
    expect(ledger.strange).toEqual([])
  })

  it.each(['apic.event.recorded', 'apic.audit.recorded', 'apic.fault.raised', 'apic.fault.changed'])(
    'finds %s lost, and doubled',
    type => {
      const index = at(type)
      expect(judged(told.toSpliced(index, 1))).toMatchObject({ lost: 1, surplus: 0 })
      const [message] = told.slice(index)
      expect(judged(message === undefined ? [] : [...told, message])).toMatchObject({ lost: 0, surplus: 1 })
    },
  )

  it('finds a fault told in another order', () => {
    const index = at('apic.fault.changed')
    const [message] = told.slice(index)
    const moved = message === undefined ? [] : [message, ...told.toSpliced(index, 1)]
    expect(judged(moved)).toMatchObject({ lost: 0, surplus: 0, disordered: 1 })
  })

  it('takes a dead letter and an event that breaks the schema for strange', () => {
    const { ledger } = judged([
      { subject: 'opswire.apic.fabric-a._dead.', event: { id: 'x' }, storedMs: 0 },
      { subject: 'opswire.apic.fabric-a.event.info', event: { specversion: '1.0' }, storedMs: 0 },
    ])
    expect(ledger.strange.length).toBe(2)
  })
})
