/** The answers to the parts of one question, put together. */
import type { ApicObject } from './decode.ts'
import { order } from './filter.ts'
import type { Query } from './query.ts'
import { commas } from './yields.ts'

/**
 * The objects of all answers, each once by its dn, with what hangs below it in any of them; in the order that the question
 * asks for, or as they came.
 */
export function joinAnswers(
  queries: readonly Query[],
  answers: readonly (readonly ApicObject[])[],
): readonly ApicObject[] {
  const [first, ...more] = answers
  if (first === undefined) return []
  if (more.length === 0) return first
  const joined = merged(answers.flat())
  const keys = commas(new Map(queries[0]?.options).get('order-by') ?? '').map(key => {
    const [, property = '', direction] = /^\w+\.(\w+)(?:\|(\w+))?$/.exec(key) ?? []
    return { property, sign: direction === 'desc' ? -1 : 1 }
  })
  return joined.sort((a, b) => {
    for (const { property, sign } of keys) {
      const step = order(a.attributes[property] ?? '', b.attributes[property] ?? '')
      if (step !== 0) return sign * step
    }
    return 0
  })
}

function merged(objects: readonly ApicObject[]): ApicObject[] {
  const found = new Map<string, ApicObject>()
  for (const [index, object] of objects.entries()) {
    const { dn, rn } = object.attributes
    // What has no name of its own is nobody's double.
    const key = dn ?? (rn === undefined ? `#${index}` : `${object.cls}/${rn}`)
    const before = found.get(key)
    found.set(
      key,
      before === undefined ? object : { ...before, children: merged([...before.children, ...object.children]) },
    )
  }
  return [...found.values()]
}
