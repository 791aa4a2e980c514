/** One account, several sources, a password that is wrong: it is not asked for again until it has changed. */
import { afterEach, describe, expect, it } from 'vitest'
import { Secret, type SecretOrigin } from '../../src/config/secret.ts'
import { codeOf } from '../../src/errors.ts'
import { Paces } from '../../src/subscribers/apic/pace.ts'
import { Refusals } from '../../src/subscribers/apic/refusals.ts'
import { apicSubscriber } from '../../src/subscribers/apic/subscriber.ts'
import { type Runner, startRunner } from '../../src/subscribers/runner.ts'
import { ApicRig } from '../support/apic-source.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { turn } from '../support/turning.ts'

const FIVE_MINUTES_S = 300

let rig: ApicRig
let clock: ManualClock
let runners: Runner[] = []
const wakes = new Map<string, () => void>()

async function make(): Promise<void> {
  clock = new ManualClock()
  rig = await ApicRig.make({
    clock,
    start: false,
    simulator: { users: [{ name: 'admin', password: 'changed' }], lockoutAfter: 5 },
  })
}

function start(name: string, paces: Paces, password: Secret = rig.config.password, config: object = {}): void {
  runners.push(
    startRunner({
      subscriber: apicSubscriber(
        { ...rig.config, ...config, name, password },
        { spacingMs: 0, loginSpacingMs: 0 },
        paces,
      ),
      store: rig.store,
      clock,
      report: happening => rig.happenings.push(happening),
      stateDir: undefined,
      wake: callback => {
        wakes.set(name, callback)
        return () => wakes.delete(name)
      },
    }),
  )
}

/** A secret that somebody changes while the daemon runs. */
class ChangingSecret extends Secret {
  text: string
  constructor(text: string) {
    super('file' satisfies SecretOrigin, '/run/secret')
    this.text = text
  }
  override async read(): Promise<string> {
    return this.text
  }
}

afterEach(async () => {
  for (const one of runners) await one.stop(AbortSignal.abort())
  runners = []
  wakes.clear()
  await rig.close()
})

const logins = () => rig.simulator.record.logins

describe('a password that was refused', () => {
  it('to one of three sources is not sent by the others, and by one of them every five minutes', async () => {
    await make()
    const paces = new Paces()
    for (const name of ['a', 'b', 'c']) start(name, paces)
    await turn(clock, FIVE_MINUTES_S - 5)
    expect(logins()).toHaveLength(1)
    // All three know why they are down.
    const down = rig.happenings.flatMap(one =>
      one.type === 'source_state' && one.state === 'down' ? [`${one.source}: ${one.code}`] : [],
    )
    expect(down.sort()).toEqual(['a: auth_refused', 'b: auth_refused', 'c: auth_refused'])
    await turn(clock, 3600, 5)
    expect(logins().length).toBeGreaterThan(10)
    const times = logins().map(login => login.at)
    const gaps = times.slice(1).map((at, index) => at - (times[index] ?? 0))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(FIVE_MINUTES_S * 1000)
  })

  it('is not sent again because its file was written anew with the same text', async () => {
    await make()
    start('a', new Paces())
    for (let round = 0; round < 28; round++) {
      await turn(clock, 10)
      wakes.get('a')?.()
    }
    expect(logins()).toHaveLength(1)
  })

  it('is followed at once by a new one, and that is good news for all', async () => {
    await make()
    const paces = new Paces()
    const secret = new ChangingSecret('old')
    for (const name of ['a', 'b']) start(name, paces, secret)
    await turn(clock, 20)
    expect(logins().map(login => login.ok)).toEqual([false])
    secret.text = 'changed'
    for (const wake of [...wakes.values()]) wake()
    await turn(clock, 5)
    expect(logins().map(login => login.ok)).toEqual([false, true, true])
  })

  it('says nothing of the user of another login domain', async () => {
    await make()
    const paces = new Paces()
    start('a', paces)
    await turn(clock, 5)
    start('b', paces, rig.config.password, { login_domain: 'LOCAL' })
    await turn(clock, 5)
    expect(logins()).toHaveLength(2)
  })
})

describe('Refusals', () => {
  const refused = async (refusals: Refusals, hosts: readonly string[], name = 'admin', password = 'wrong') => {
    try {
      refusals.check(hosts, name, password, clock.now())
      return undefined
    } catch (error) {
      return codeOf(error)
    }
  }

  it('holds for all controllers of the list, five minutes long, until the account is let in', async () => {
    await make()
    const refusals = new Refusals()
    const list = ['https://a', 'https://b/']
    refusals.note(list, 'admin', 'wrong', 'login as admin refused: no', clock.now())
    expect(await refused(refusals, ['https://b', 'https://c'])).toBe('auth_refused')
    expect(await refused(refusals, ['https://c'])).toBeUndefined()
    expect(await refused(refusals, list, 'other')).toBeUndefined()
    expect(await refused(refusals, list, 'admin', 'new')).toBeUndefined()
    await clock.advance(299_999)
    expect(await refused(refusals, list)).toBe('auth_refused')
    await clock.advance(1)
    expect(await refused(refusals, list)).toBeUndefined()
    refusals.note(list, 'admin', 'wrong', 'no', clock.now())
    refusals.forget(list, 'admin')
    expect(await refused(refusals, list)).toBeUndefined()
  })

  it('remembers each of two passwords: sources that differ do not clear the way for one another', async () => {
    await make()
    const refusals = new Refusals()
    refusals.note(['https://a'], 'admin', 'one', 'no', clock.now())
    refusals.note(['https://a'], 'admin', 'two', 'no', clock.now())
    expect(await refused(refusals, ['https://a'], 'admin', 'one')).toBe('auth_refused')
    expect(await refused(refusals, ['https://a'], 'admin', 'two')).toBe('auth_refused')
  })
})
