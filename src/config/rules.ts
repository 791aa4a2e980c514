/** Rules between keys of one block. They run even when single keys are wrong, so that every problem is told at once. */
import type { z } from 'zod'

/** A block as it came in: any key may be missing or of the wrong type, another rule says so. */
export type Block = Readonly<Record<string, unknown>>
/** `needed`: one of these keys would put it right. */
export type AddIssue = (message: string, path?: readonly (string | number)[], needed?: readonly string[]) => void

/** Arguments of `superRefine` for a rule between keys: `.superRefine(...across((block, issue) => …))`. */
export function across<T>(
  rule: (block: Block, issue: AddIssue) => void,
): [(value: T, context: z.RefinementCtx<T>) => void, { when: () => boolean }] {
  const refine = (value: T, context: z.RefinementCtx<T>): void => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return
    rule(value as Block, (message, path = [], needed = []) =>
      context.addIssue({ code: 'custom', message, path: [...path], params: { needed } }),
    )
  }
  return [refine, { when: () => true }]
}
