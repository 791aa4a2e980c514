/** Trying connections step by step, for `check --connect`: each step is timed and told, and a failed one ends what needs it. */
import { codeOf, describe, type ErrorCode } from './errors.ts'

export interface ProbeStep {
  /** A word or two: `login`, `read class/faultInst`. */
  readonly name: string
  /** `warned`: it works, and something should be known. `skipped`: there was no use in trying. */
  readonly outcome: 'ok' | 'warned' | 'failed' | 'skipped'
  /** Undefined for what was skipped. */
  readonly ms: number | undefined
  /** What was found, or what went wrong. */
  readonly detail: string
  /** Of a failure. */
  readonly code: ErrorCode | undefined
}

/** What a step found: a text, or one that should be known. */
export type Found = string | { readonly warning: string }

export interface ProbeOptions {
  /** Monotonic ms. */
  readonly now: () => number
  /** A step begins: for people who wait. */
  readonly onBegin: (name: string) => void
  readonly onStep: (step: ProbeStep) => void
  /** Aborts when whoever asked has enough: what fails from then on says nothing of the other side. */
  readonly signal: AbortSignal
}

export class Probe {
  readonly #options: ProbeOptions

  constructor(options: ProbeOptions) {
    this.#options = options
  }

  /** Tries it and tells how that went. Resolves with whether it worked; rejects with nothing. */
  async step(name: string, attempt: () => Promise<Found>): Promise<boolean> {
    const { now, onBegin, onStep, signal } = this.#options
    onBegin(name)
    const begun = now()
    const told = { name, code: undefined }
    try {
      const found = await attempt()
      const ms = now() - begun
      if (typeof found === 'string') onStep({ ...told, outcome: 'ok', ms, detail: found })
      else onStep({ ...told, outcome: 'warned', ms, detail: found.warning })
      return true
    } catch (error) {
      if (signal.aborted) onStep({ ...told, outcome: 'skipped', ms: undefined, detail: 'interrupted' })
      else onStep({ name, outcome: 'failed', ms: now() - begun, detail: describe(error), code: codeOf(error) })
      return false
    }
  }

  skip(name: string, why: string): void {
    this.#options.onStep({ name, outcome: 'skipped', ms: undefined, detail: why, code: undefined })
  }
}
