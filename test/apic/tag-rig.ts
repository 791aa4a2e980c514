/** A source with a subscription by tag, and a client that sets tags as the guide prints it. */
import { expect } from 'vitest'
import { DEFAULT_USER } from '../../src/simulators/apic/controller.ts'
import { Client } from '../simulators/apic-client.ts'
import { ApicRig, type ApicRigOptions, certificate } from '../support/apic-source.ts'

export const FEED = 'tag/production'
export const A = 'uni/tn-a'
export const B = 'uni/tn-b'

/** An account of its own: the record tells whose session was whose. */
const OPERATOR = { name: 'operator', password: 'ins3965!' }

export class TagRig {
  readonly rig: ApicRig
  readonly client: Client
  #marks = 0

  private constructor(rig: ApicRig) {
    this.rig = rig
    this.client = new Client(rig.simulator, certificate.cert)
  }

  /** Two tenants without tags; the source is not started. */
  static async make(options: ApicRigOptions = {}): Promise<TagRig> {
    const made = new TagRig(
      await ApicRig.make({
        ...options,
        simulator: { users: [DEFAULT_USER, OPERATOR], ...options.simulator },
        config: { subscriptions: [{ tag: 'production' }, { class: 'fvCtx' }], ...options.config },
        start: false,
      }),
    )
    await made.login()
    for (const name of ['a', 'b']) made.tenant(name, {})
    return made
  }

  /** Starts the source; the tag is live. */
  async begin(): Promise<void> {
    const before = this.rig.feedStates(FEED).filter(state => state === 'live').length
    this.rig.start()
    await this.rig.live([FEED, 'class/fvCtx'], before + 1)
  }

  /** The client's sessions end, too. */
  async login(): Promise<void> {
    await this.client.login(OPERATOR.name, OPERATOR.password)
  }

  tenant(name: string, attributes: Record<string, string>): void {
    this.rig.simulator.post('uni', { fvTenant: { attributes: { name, ...attributes } } })
  }

  async tag(dn: string, query: string): Promise<void> {
    expect((await this.client.post(`/api/tag/mo/${dn}.json?${query}`)).status).toBe(200)
  }

  /** How often a DN was subscribed to. */
  followed(dn: string): number {
    return this.rig.simulator.record.subscriptions.filter(one => one.path.startsWith(`/api/mo/${dn}.`)).length
  }

  /** What was told by now, without the marks that show that. */
  async told(): Promise<string[]> {
    await this.#mark()
    // Of different subscriptions a later one may be committed first, but no subscription waits for two turns of another.
    const facts = await this.#mark()
    return facts.flatMap(({ type, subject, data }) =>
      subject.includes('ctx-mark') ? [] : [`${subject} ${type.slice(5)} ${data.flags?.join() ?? ''}`.trim()],
    )
  }

  async #mark() {
    const name = `mark-${++this.#marks}`
    const dn = `uni/tn-common/ctx-${name}`
    this.rig.simulator.post(dn, { fvCtx: { attributes: { name } } })
    return this.rig.until(all => all.some(fact => fact.subject === dn), 'the mark')
  }

  /** Resolves when so much was told; fails when it was something else. */
  async toldAs(...expected: string[]): Promise<void> {
    const isThere = (subject: string): boolean => !subject.includes('ctx-mark')
    await this.rig.until(all => all.filter(fact => isThere(fact.subject)).length >= expected.length, expected.join())
    expect(await this.told()).toEqual(expected)
  }

  async close(): Promise<void> {
    this.client.close()
    await this.rig.close()
  }
}
