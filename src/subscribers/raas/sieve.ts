/** What of a walk is news: not known, not there at the first contact. */
import type { Fact, Origin } from '../../event.ts'
import type { TailOptions } from './tail-options.ts'

export interface Found<R> {
  readonly row: R
  readonly us: number | undefined
}

/** A row that is news, and the fact it makes, unless that is known or not to be published. */
export interface News<R> {
  readonly one: Found<R>
  readonly fact: Fact | undefined
}

export class Sieve<R> {
  readonly #options: Pick<TailOptions<R>, 'nameOf' | 'memory' | 'fact'>
  /** Nothing at or below is published, unless the session knows it for late. */
  floorUs: number | null = null

  constructor(options: Pick<TailOptions<R>, 'nameOf' | 'memory' | 'fact'>) {
    this.#options = options
  }

  isNews({ row, us }: Found<R>): boolean {
    const { nameOf, memory } = this.#options
    const name = nameOf(row)
    // Marked rows without a time, or from ahead of the server's clock, are above any floor and were there all the same.
    if (memory.knows(name) || memory.marked.has(name)) return false
    if (this.floorUs === null || us === undefined || us > this.floorUs) return true
    return memory.marksFromUs !== undefined && us > memory.marksFromUs
  }

  newsOf(rows: readonly Found<R>[], originOf: (one: Found<R>) => Origin): News<R>[] {
    const { fact: make, memory } = this.#options
    return rows.map(one => {
      const fact = make(one.row, originOf(one))
      return { one, fact: fact === undefined || memory.ids.has(fact.id) ? undefined : fact }
    })
  }

  remember(news: readonly News<R>[]): void {
    const { memory, nameOf } = this.#options
    for (const { one, fact } of news) {
      const us = one.us ?? Number.NEGATIVE_INFINITY
      memory.names.set(nameOf(one.row), us)
      if (fact !== undefined) memory.ids.set(fact.id, us)
    }
  }

  /** When even a sweep no longer reaches below the floor (`reachUs` is above it), the marks there have done their work. */
  forgetMarks(reachUs: number): void {
    const { memory } = this.#options
    if (this.floorUs !== null && memory.marksFromUs !== undefined && reachUs > this.floorUs) {
      memory.forgetMarks(this.floorUs)
    }
  }
}
