/** What is pushed while a snapshot is being read, in its order: it is the later news. */
import type { Watched } from './core.ts'
import type { Change } from './decode.ts'

export interface HeldPush {
  readonly change: Change
  /** All subscriptions that the frame named. */
  readonly named: readonly Watched[]
}

export class HeldBack {
  readonly #pushes: HeldPush[] = []
  readonly #dns = new Set<string>()

  get size(): number {
    return this.#pushes.length
  }

  get pushes(): readonly HeldPush[] {
    return this.#pushes
  }

  add(push: HeldPush): void {
    this.#pushes.push(push)
    this.#dns.add(push.change.dn)
  }

  /** What only waited here is still news for the others that its frame named, and that relied on this one. */
  passOn(self: Watched): void {
    for (const { change, named } of this.#pushes) {
      const others = named.filter(one => one !== self)
      others.find(one => one.isAttending)?.take(change, others)
    }
  }

  /** True when something of this object waits: what comes of it later must wait behind. */
  has(dn: string): boolean {
    return this.#dns.has(dn)
  }
}
