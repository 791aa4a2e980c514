/** Failures on order: what a client meets in real life, as often as the test asks for it. */
import type { Operation } from './record.ts'

export type Failure =
  /** nginx instead of the API: a page. 503 unless another status is given. */
  | { readonly kind: 'html'; readonly status?: number; readonly retryAfterSeconds?: number }
  /** nginx sends the caller elsewhere (commHttp.redirectSt): 301 unless another status is given. */
  | { readonly kind: 'redirect'; readonly status?: number; readonly location: string }
  /** The connection breaks before an answer. */
  | { readonly kind: 'reset' }
  /** The call is carried out, then the connection breaks before the answer. */
  | { readonly kind: 'reset-after' }
  /** The right answer begins, and the connection breaks in the middle of its body. */
  | { readonly kind: 'truncated' }
  /** Nothing comes, and the connection stands. */
  | { readonly kind: 'hang' }
  /** 202: accepted, the queue is full, nothing was done. */
  | { readonly kind: 'accepted' }
  /** An error envelope; with status 200 unless another is given. */
  | { readonly kind: 'error'; readonly status?: number; readonly code: string; readonly text: string }
  /** Any text with status 200. */
  | { readonly kind: 'garbage'; readonly text: string }
  /** The right answer, later. */
  | { readonly kind: 'slow'; readonly ms: number }

export interface FailureRule {
  /** Only these calls; all when left out. */
  readonly operation?: Operation | readonly Operation[]
  /** Only calls whose raw path and query match. */
  readonly path?: RegExp
  /** How many calls; all from now on when left out. */
  readonly times?: number
  readonly failure: Failure
}

export class Mischief {
  #rules: { readonly rule: FailureRule; left: number }[] = []

  /** Arms a rule; gives the way to take it back. Rules are asked in the order of arming. */
  add(rule: FailureRule): () => void {
    const entry = { rule, left: rule.times ?? Number.POSITIVE_INFINITY }
    this.#rules.push(entry)
    return () => {
      this.#rules = this.#rules.filter(other => other !== entry)
    }
  }

  /** The failure that this call shall meet, if any; uses it up. */
  take(operation: Operation, path: string): Failure | undefined {
    for (const entry of this.#rules) {
      const { operation: wanted, path: pattern, failure } = entry.rule
      const operations = wanted === undefined ? undefined : [wanted].flat()
      if (operations !== undefined && !operations.includes(operation)) continue
      if (pattern !== undefined && !pattern.test(path)) continue
      entry.left--
      if (entry.left <= 0) this.#rules = this.#rules.filter(other => other !== entry)
      return failure
    }
    return undefined
  }
}
