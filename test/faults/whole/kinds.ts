/** What a kind of fault is. */
import type { Dice } from './dice.ts'
import type { World } from './world.ts'

/** What differs from one strike to the next, drawn from the seed and printed. */
export type Detail = Readonly<Record<string, number | string>>

export interface FaultKind {
  readonly name: string
  /** Strikes of one group never overlap: they would undo each other. */
  readonly group: string
  /** How often it is drawn beside the others. Default 1. */
  readonly weight?: number
  /** Pushes are lost and others follow them: what a fault did meanwhile may be overtaken, and announced. */
  readonly deafens?: boolean
  /** Drawn anew each time. */
  readonly draw?: (dice: Dice) => Detail
  /** Longest that it lasts, ms; undefined: it strikes and is over. */
  readonly lastsMs?: number
  /** Breaks it; gives the way back for one that lasts. */
  readonly strike: (world: World, detail: Detail) => unknown
  /** False where this machine, or this world, can't have it. */
  readonly isPossible?: (world: World) => boolean
}

/** A number of the detail. */
export function numberOf(detail: Detail, name: string): number {
  return Number(detail[name])
}
