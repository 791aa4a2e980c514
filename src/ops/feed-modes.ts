/** In which mode each feed of a source works, as the metrics show it. */
import type { Sample } from './catalogue.ts'
import { LABELLED_FEEDS, OVERFLOW } from './counts.ts'
import type { SourceModel } from './source-model.ts'
import { word } from './text.ts'

/** A feed that is lost or switched off works in no mode. */
export function* feedModes({ name, feeds }: SourceModel): Generator<Sample> {
  const rest = new Map<string, number>()
  let labelled = 0
  for (const { label, mode, modes, state } of feeds.values()) {
    if (mode === undefined || state === 'lost' || state === 'disabled') continue
    if (++labelled > LABELLED_FEEDS) rest.set(mode, (rest.get(mode) ?? 0) + 1)
    else for (const known of modes) yield [[name, label, word(known)], known === mode ? 1 : 0]
  }
  for (const [mode, count] of rest) yield [[name, OVERFLOW, word(mode)], count]
}
