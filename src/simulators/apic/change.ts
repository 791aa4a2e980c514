/** One change to one object, as it is pushed and recorded. */
import type { Attributes } from './model.ts'
import type { Mo } from './tree.ts'

export interface Change {
  readonly kind: 'created' | 'modified' | 'deleted'
  readonly className: string
  readonly dn: string
  /** Created: everything. Modified: what changed, and nothing else. Deleted: empty. */
  readonly attributes: Attributes
  /** The whole object after the change (before it, when deleted). */
  readonly whole: Attributes
  /** Names of the tags the object carries. */
  readonly tags: readonly string[]
  /** The objects above it, nearest first. */
  readonly above: readonly Mo[]
}
