/**
 * Proof of hearing for objects, which have no log to ask for the newest. When a reconcile finds what nobody was told, the
 * push may be on its way; if it does not come, the subscription is mute, whole or in part (a leaf that no longer feeds
 * it), though its refreshes are answered.
 */
import { sleep } from '../../scheduler/clock.ts'
import type { Core } from './core.ts'

/** Asked and pushed travel on two connections: a push may be so much behind the answer that knew of it, ms. */
const GRACE_MS = 5000
/** Pushes that were held back come in a rush after this, ms: a reconcile then finds what is late, not what is missing. */
const AFTER_PAUSE_MS = 60_000

interface Round {
  /** DNs of what the reconcile had to tell, and of what was pushed meanwhile. */
  readonly found: Set<string>
  readonly heard: Set<string>
  /** By the fabric's clock. */
  readonly askedMs: number
}

export class Hearing {
  readonly #core: Pick<Core, 'clock' | 'signal' | 'report' | 'source' | 'pausedWithin' | 'fabricNow'>
  readonly #name: string
  readonly #remake: (reason: string, sinceMs: number | undefined) => void
  readonly #onHeardAll: (askedMs: number) => void
  /** When a reconcile last found nothing that was not pushed, or the subscription was made; by the fabric's clock. */
  #heardAllMs: number | undefined
  #round: Round | undefined
  /** Reconciles in a row that found something unheard. */
  #rounds = 0

  constructor(
    core: Pick<Core, 'clock' | 'signal' | 'report' | 'source' | 'pausedWithin' | 'fabricNow'>,
    name: string,
    remake: (reason: string, sinceMs: number | undefined) => void,
    onHeardAll: (askedMs: number) => void,
  ) {
    this.#core = core
    this.#name = name
    this.#remake = remake
    this.#onHeardAll = onHeardAll
  }

  /** A read had to tell of this object. */
  found(dn: string): void {
    this.#round?.found.add(dn)
  }

  /** A push told of this object. */
  heard(dn: string): void {
    this.#round?.heard.add(dn)
  }

  /** The subscription is made anew: what was suspected of the old one is no matter any more. */
  forget(): void {
    this.#round = undefined
    this.#heardAllMs = this.#core.fabricNow()
  }

  /** Runs a reconcile, and judges by it afterwards, without keeping the caller. Rejects with what `reconcile` throws. */
  async during(reconcile: () => Promise<void>): Promise<void> {
    const round: Round = { found: new Set(), heard: new Set(), askedMs: this.#core.fabricNow() }
    this.#round = round
    await reconcile()
    if (round.found.size === 0) this.#heardAll(round)
    else void this.#judge(round)
  }

  #heardAll(round: Round): void {
    this.#rounds = 0
    this.#heardAllMs = round.askedMs
    this.#onHeardAll(round.askedMs)
  }

  async #judge(round: Round): Promise<void> {
    const { clock, signal, pausedWithin, report, source } = this.#core
    try {
      await sleep(clock, GRACE_MS, signal)
    } catch {
      return
    }
    if (this.#round !== round) return
    this.#round = undefined
    if (pausedWithin(AFTER_PAUSE_MS)) return
    const unheard = round.found.difference(round.heard).size
    if (unheard === 0) {
      this.#heardAll(round)
      return
    }
    this.#rounds++
    if (this.#rounds === 1) {
      this.#remake(`a reconcile found ${unheard} objects whose changes were never pushed`, this.#heardAllMs)
    }
    if (this.#rounds !== 2) return
    // Some changes may never be pushed at all: a subscription made anew each time would not mend that.
    const text = `${this.#name}: changes are found that are never pushed, though it was made anew; reconciles tell them`
    report({ type: 'advice', source: source.name, text })
  }
}
