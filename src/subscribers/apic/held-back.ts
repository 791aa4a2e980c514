/** What is pushed while a snapshot is being read, in its order: it is the later news. */
import type { Watched } from './core.ts'
import type { Change } from './decode.ts'

/** Pushes held back while a snapshot is read, before the socket is. */
const MOST_HELD = 20_000

export interface HeldPush {
  readonly change: Change
  /** All subscriptions that the frame named. */
  readonly named: readonly Watched[]
  /** As it was pushed, where the change is that with more, which was asked for: another session knows it as that. */
  readonly pushed?: Change
}

export class HeldBack {
  readonly #pushes: HeldPush[] = []
  readonly #first = new Map<string, Change>()

  /** True when so many wait that the socket shall; again when it is twice as many. */
  get isFull(): boolean {
    return this.#pushes.length > 0 && this.#pushes.length % MOST_HELD === 0
  }

  get pushes(): readonly HeldPush[] {
    return this.#pushes
  }

  add(push: HeldPush): void {
    this.#pushes.push(push)
    if (!this.#first.has(push.change.dn)) this.#first.set(push.change.dn, push.change)
  }

  /** What only waited here is still news for the others that its frame named, and that relied on this one. */
  passOn(self: Watched): void {
    for (const { change, named } of this.#pushes) {
      const others = named.filter(one => one !== self)
      others.find(one => one.isAttending)?.take(change, others)
    }
  }

  /** The first that waits of this object: what comes of it later must wait behind. */
  first(dn: string): Change | undefined {
    return this.#first.get(dn)
  }
}
