/** Which rows of a fault's log are news: by what was told, by what the snapshot shows, by what is pushed. */
import { describe, expect, it } from 'vitest'
import {
  type Border,
  isLogged,
  type Known,
  newsOf,
  overtakenBy,
  type Transition,
  withoutRepeats,
} from '../../src/subscribers/apic/fault-news.ts'

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
  if (text === '') return { there: false, state: undefined, endedMs: undefined, missingMs: undefined }
  const [state = '', end] = text.split(' ')
  return {
    there: end === undefined,
    state: stateAt(state.slice(0, 1), Number(state.slice(1))),
    endedMs: end?.startsWith('X') === true ? Number(end.slice(1)) : undefined,
    missingMs: end?.startsWith('M') === true ? Number(end.slice(1)) : undefined,
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
    ['ended by a push, with steps that were not pushed', 'S100 X400', 'S100 R200 X400', '', '', ''],
    ['ended, had flapped, and the log is behind', 'S500 X600', 'S100 R200', '', '', ''],
    ['over already, had come again, and ended', 'C100 X400', 'C100 R200 X400', '', '', 'R200 X400'],
    ['ended, by a clock of ours that is behind, as the log is', 'S2500 X400', 'S100 R1200', '', '', ''],
    ['ended, and the log is behind with the end', 'C500 X600', 'R100 X200 S300 R400', '', '', ''],
    ['found missing, and the log shows the end later', 'R100 M500', 'R100 C200 X300', '', '', ''],
    ['found missing, and came again', 'R100 M500', 'R100 C200 X300 R400', 'R400', '', ''],
    ['found missing, and the log shows its last steps later', 'S100 M500', 'S100 R200 C300 X400', '', '', ''],
    ['found missing, and the log shows no end yet', 'S100 M500', 'S100 R200 R600 C700', '', '', 'R600 C700'],
    ['found missing, and lived again at once', 'S100 M500', 'S100 R200 X300 R400 C450 X480', '', '', 'R400 C450 X480'],
    ['over already, found missing, had come again', 'C100 M500', 'C100 R200 C300 X400', '', '', 'R200 C300 X400'],
    ['after the snapshot, by the shown state', '', 'R100 C200', 'R100', '', ''],
    ['on the way of the snapshot, come and gone', '', 'R10100 X10200', '', '', 'R10100 X10200'],
    ['after the snapshot, pushed', '', 'R10100 X10200', '', 'R10100', ''],
    ['before the snapshot, and pushed again in the same state since', '', 'R9000 X9050', '', 'R9120', 'R9000 X9050'],
    ['after the snapshot, its push still under way', '', 'R100 X200 R10300', '', '', 'R100 X200'],
    ['before and after the snapshot', '', 'R9000 X9100 R10100 X10200', '', 'R10100', 'R9000 X9100'],
  ])('%s', (_, told, rows, shown, pushed, news) => {
    expect(newsOf(known(told), log(rows), border(shown, pushed))).toEqual(log(news))
  })
})

it('of a fault whose last step was told with an older count than it has are those after it', () => {
  const counted = (text: string): Transition[] =>
    text.split(' ').flatMap(word => {
      const [row = '', occur = '1'] = word.split('/')
      return log(row).map(one => ({
        ...one,
        change: { ...one.change, attributes: { ...one.change.attributes, occur } },
      }))
    })
  const rows = counted('R100/1 C200/1 R300/2 C400/2 R500/3')
  // The push of 300 was lost, and with it the count.
  const told = { ...known('C400'), state: { ...stateAt('C', 400), occur: '1' } }
  expect(newsOf(told, rows, border('', ''))).toEqual(rows.slice(4))
  expect(overtakenBy(told, rows).mistold).toEqual(rows[3])
})

it('of a fault whose last step was told with a state from before lost steps are those after it', () => {
  // The push of R300 was told as cleared, as its step back was lost: S250.
  const told = { ...known('R300'), state: { ...stateAt('C', 300) } }
  const rows = log('C200 S250 R300 S400')
  expect(newsOf(told, rows, border('', ''))).toEqual(log('S400'))
  expect(overtakenBy(told, rows).mistold).toEqual(rows[2])
})

describe('overtaken steps of a fault', () => {
  it.each([
    ['before the one that was told last', 'C300', 'S100 R200 C300', 'S100 R200'],
    ['of a life that was found to be over', 'S100 M500', 'S100 R200 C300 X400 R450', 'R200'],
    ['none of a life that was over when it was found missing', 'C100 M500', 'C100 X400', ''],
    [
      'closed and raised again in a life that was found to be over',
      'S100 M500',
      'S100 C200 R300 C350 X400',
      'C200 R300',
    ],
    ['not the end of what was over', 'R400', 'S100 C200 X300 R400', 'S100 C200'],
    ['the end of what was not', 'R400', 'S100 X300 R400', 'S100 X300'],
    ['before an end that was told', 'S100 X400', 'S100 R200 C300 X400', 'S100 R200 C300'],
  ])('%s', (_, told, rows, overtaken) => {
    expect(overtakenBy(known(told), log(rows)).steps).toEqual(log(overtaken))
  })
})

describe('the log of a fault', () => {
  it.each([
    ['shows what the snapshot does', 'S100', 'S100 R200', 'R200', true],
    ['is behind', 'S100', 'S100', 'R200', false],
    ['is behind with the same state once more', 'R100', 'R100 C200', 'R300', false],
    ['has nothing to show', 'S100', '', 'S100', true],
    ['does not go back so far', '', '', 'R10', true],
    ['shows how it ended', 'R100', 'R100 C200', '', true],
    ['does not show yet how it ended', 'R100', 'R100', '', false],
    ['need not show the end of what was over', 'C100', 'C100', '', true],
    ['shows one that came and went', '', 'R100 X200', '', true],
    ['shows one that came, and not yet that it went', '', 'R100', '', false],
    ['shows that it came again, and not yet how it ended', 'R100', 'R100 C200 R300', '', false],
    ['shows one that came after the snapshot', '', 'R10100', '', true],
    ['shows that it came again after the snapshot', 'R100', 'R100 X200 R10100', '', true],
    ['shows the last steps of one that was found missing', 'R100 M500', 'R100 C200 R300', '', true],
  ])('%s', (_, told, rows, shown, logged) => {
    expect(isLogged(known(told), log(rows), border(shown, ''), 50)).toBe(logged)
  })
})

it('shows a later row of the same state, which was pushed, and not yet that of the snapshot', () => {
  const shown = border('C300', 'C360')
  expect(isLogged(known('S100'), log('S100 R350 C360'), shown, 50)).toBe(false)
  expect(newsOf(known('S100'), log('S100 R350 C360'), shown)).toEqual([])
  expect(isLogged(known('S100'), log('S100 R200 C300 R350 C360'), shown, 50)).toBe(true)
  expect(newsOf(known('S100'), log('S100 R200 C300 R350 C360'), shown)).toEqual(log('R200'))
})

describe('a log that tells when a fault was made, and shows two beginnings', () => {
  const births = (text: string): Transition[] =>
    log(text).map(one => ({ ...one, isBirth: one.change.attributes['lc'] === 'soaking' }))

  it('lacks the end between them', () => {
    expect(isLogged(known(''), births('S100 R200 S300'), border('S300', ''), 50)).toBe(false)
    expect(isLogged(known('R200'), births('S100 R200 S300'), border('S300', ''), 50)).toBe(false)
    expect(isLogged(known('R50'), births('S300 X400'), border('', ''), 50)).toBe(false)
    expect(isLogged(known(''), births('S100 X200 S300'), border('S300', ''), 50)).toBe(true)
    expect(isLogged(known('S300'), births('S100 S300'), border('S300', ''), 50)).toBe(true)
    expect(isLogged(known(''), births('S100 X200 S10300 S10400'), border('', ''), 50)).toBe(true)
  })

  it('has both as news, though they are one state', () => {
    expect(newsOf(known(''), births('S100 S300 R400'), border('R400', ''))).toEqual(births('S100 S300'))
    expect(newsOf(known(''), births('S100 S300'), border('S300', ''))).toEqual(births('S100 S300'))
    expect(newsOf(known(''), births('S100 X200 S300'), border('S300', ''))).toEqual(births('S100 X200'))
  })
})

it('does not show yet how a fault ended that was made again since: its push says when', () => {
  expect(isLogged(known(''), log('R100 S300'), border('', 'S300'), 50)).toBe(false)
  expect(isLogged(known(''), log('R100 X200 S300'), border('', 'S300'), 50)).toBe(true)
})

describe('the log of a fault that flaps, with its own times', () => {
  const own = (rows: string): Transition[] => log(rows).map(row => ({ ...row, isOwn: true }))

  it('does not show yet what it shows of an earlier time', () => {
    const shown = border('R400', '')
    expect(isLogged(known('C100'), own('C100 R200 C300'), shown, 50)).toBe(false)
    expect(isLogged(known('C100'), own('C100 R200 C300 R400'), shown, 50)).toBe(true)
  })

  it('shows what was told last as something else', () => {
    expect(isLogged(known('S300'), own('S100 R300'), border('R300', ''), 50)).toBe(true)
  })

  it('has no news before what was told last, though that is not there yet', () => {
    expect(newsOf(known('R400'), own('R100 C200 R300 C350'), border('R400', ''))).toEqual([])
    expect(newsOf(known('R100'), own('R100 C200 R300 C350'), border('C350', ''))).toEqual(own('C200 R300'))
  })
})

describe('rows of one transition', () => {
  it.each([
    ['twice', 'S100 S100 R200 R210 X300 X301 S400', 'S100 R200 X300 S400'],
    ['and of the next ones', 'S100 R200 S300 X400', 'S100 R200 S300 X400'],
  ])('%s', (_, rows, once) => {
    expect(withoutRepeats(log(rows))).toEqual(log(once))
  })

  it('are of two where the fault itself says that it has moved', () => {
    const rows = log('S100 S100 S200').map(row => ({ ...row, isOwn: true }))
    expect(withoutRepeats(rows).map(({ atMs }) => atMs)).toEqual([100, 200])
  })

  it('are known by the own time of the fault, though rows of the next ones stand between them', () => {
    const rows = log('S100 R110 S100 R110 C120 R130').map(row => ({ ...row, isOwn: true }))
    expect(withoutRepeats(rows).map(({ atMs }) => atMs)).toEqual([100, 110, 120, 130])
  })
})
