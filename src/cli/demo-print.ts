/** What the demo counts of what it shows. */
import type { OpsEvent } from '../event.ts'
import { sourceOf } from './event-line.ts'

/** Counts by source and kind. */
export class DemoTally {
  readonly #counts = new Map<string, Map<string, number>>()
  total = 0

  add(event: OpsEvent): void {
    const source = sourceOf(event)
    const kinds = this.#counts.get(source) ?? new Map<string, number>()
    this.#counts.set(source, kinds)
    kinds.set(event.data.kind, (kinds.get(event.data.kind) ?? 0) + 1)
    this.total++
  }

  /** Of these sources, the ones that gave nothing but news of their own health. */
  silent(sources: readonly string[]): string[] {
    return sources.filter(source => [...(this.#counts.get(source)?.keys() ?? [])].every(kind => kind === 'source'))
  }

  line(): string {
    const parts = [...this.#counts].map(([source, kinds]) => {
      const each = [...kinds].map(([kind, count]) => `${kind} ${count}`).join(', ')
      return `${source}: ${each}`
    })
    return parts.length === 0 ? 'nothing yet' : parts.join('  |  ')
  }
}
