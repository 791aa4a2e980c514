/** Which rows of a fault's log are news: by what was told, by what the snapshot shows, by what is pushed. */
import { describe, expect, it } from 'vitest'
import { type Border, type Known, newsOf, type Transition } from '../../src/subscribers/apic/fault-news.ts'

const DN = 'topology/pod-1/node-101/sys/fault-F1394'
const STATES = {
  S: { severity: 'major', lc: 'soaking' },
  R: { severity: 'major', lc: 'raised' },
  C: { severity: 'cleared', lc: 'retaining' },
} as const

function stateAt(sign: string, ms: number): Record<string, string> {
  return { dn: DN, ...STATES[sign as keyof typeof STATES], lastTransition: new Date(ms).toISOString() }
}

/** `R100 C200 X300`: raised at 100 ms, cleared, deleted. */
function log(text: string): Transition[] {
  return text
    .split(' ')
    .filter(word => word !== '')
    .map(word => {
      const atMs = Number(word.slice(1))
      const status = word.startsWith('X') ? 'deleted' : 'created'
      const attributes = status === 'deleted' ? { dn: DN } : stateAt(word.slice(0, 1), atMs)
      return { atMs, change: { cls: 'faultInst', dn: DN, attributes, status } }
    })
}

function known(text: string): Known {
  if (text === '') return { there: false, state: undefined, endedMs: undefined }
  const [state = '', end] = text.split(' ')
  return {
    there: end === undefined,
    state: stateAt(state.slice(0, 1), Number(state.slice(1))),
    endedMs: end === undefined || end === 'missing' ? undefined : Number(end.slice(1)),
  }
}

function border(shown: string, pushed: string): Border {
  return {
    shown: shown === '' ? undefined : stateAt(shown.slice(0, 1), Number(shown.slice(1))),
    pushed: log(pushed)[0]?.change,
    askedMs: 10_000,
  }
}

describe('news of a fault', () => {
  it.each([
    ['never seen, came and went', '', 'R100 C200 X300', '', '', 'R100 C200 X300'],
    ['never seen, and shown: the last one is the snapshot’s', '', 'S100 R200', 'R200', '', 'S100'],
    ['known and unchanged', 'R100', 'R100', 'R100', '', ''],
    ['known, its row dated a little later', 'R100', 'R120', 'R100', '', ''],
    ['known, cleared and raised again', 'R100', 'R100 C200 R300', 'R300', '', 'C200'],
    ['known, gone', 'R100', 'R100 C200 X300', '', '', 'C200 X300'],
    ['known from before the log', 'R50', 'C200 X300', '', '', 'C200 X300'],
    ['ended by a push', 'C200 X300', 'R100 C200 X300', '', '', ''],
    [
      'ended by a push that came late, and lived again at once',
      'C200 X900',
      'R100 C200 X300 R800 C850 X890',
      '',
      '',
      'R800 C850 X890',
    ],
    ['ended, and the log is behind with the end', 'C500 X600', 'R100 X200 S300 R400', '', '', ''],
    ['found missing, and the log shows the end later', 'R100 missing', 'R100 C200 X300', '', '', ''],
    ['found missing, and came again', 'R100 missing', 'R100 C200 X300 R400', 'R400', '', ''],
    ['after the snapshot, by the shown state', '', 'R100 C200', 'R100', '', ''],
    ['on the way of the snapshot, come and gone', '', 'R10100 X10200', '', '', 'R10100 X10200'],
    ['after the snapshot, pushed', '', 'R10100 X10200', '', 'R10100', ''],
    ['after the snapshot, its push still under way', '', 'R100 X200 R10300', '', '', 'R100 X200'],
    ['before and after the snapshot', '', 'R9000 X9100 R10100 X10200', '', 'R10100', 'R9000 X9100'],
  ])('%s', (_, told, rows, shown, pushed, news) => {
    expect(newsOf(known(told), log(rows), border(shown, pushed))).toEqual(log(news))
  })
})
