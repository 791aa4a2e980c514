import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { eventSchema } from '../../src/event-schema.ts'
import { type Case, type Played, play } from './play-case.ts'

const folder = join(import.meta.dirname, 'cases')
const names = readdirSync(folder)

function read<T>(name: string, file: string): T {
  return JSON.parse(readFileSync(join(folder, name, file), 'utf8')) as T
}

describe('normalise, case by case', () => {
  it('has its cases, each with what comes in and what comes of it', () => {
    expect(names.length).toBeGreaterThanOrEqual(150)
    for (const name of names) expect(readdirSync(join(folder, name)).sort()).toEqual(['expected.json', 'input.json'])
    const abouts = names.map(name => read<Case>(name, 'input.json').about)
    expect(new Set(abouts).size).toBe(names.length)
  })

  it('has a case of every class that the reference names', () => {
    const text = names.map(name => readFileSync(join(folder, name, 'input.json'), 'utf8')).join('\n')
    const classes = [
      ...['faultInst', 'faultDelegate', 'faultRecord', 'eventRecord', 'aaaModLR', 'aaaSessionLR', 'healthInst'],
      ...['healthRecord', 'fabricNode', 'topSystem', 'fvCEp', 'fvIp', 'fvRsCEpToPathEp', 'ethpmPhysIf', 'l1PhysIf'],
      ...['lldpIf', 'fvTenant', 'fvAp', 'fvAEPg', 'fvBD', 'fvCtx', 'aaaUser', 'tagInst', 'firmwareIfcRunning'],
    ]
    expect(classes.filter(cls => !text.includes(`"${cls}"`))).toEqual([])
  })

  describe.each(names)('%s', name => {
    const input = read<Case>(name, 'input.json')
    const played = play(input)

    it(`${input.about}`, () => {
      const { facts, mirror, partial } = played
      // Through JSON: what is undefined is not there.
      expect(JSON.parse(JSON.stringify({ facts, mirror, partial }))).toEqual(read<Played>(name, 'expected.json'))
    })

    it('makes valid events', () => {
      for (const fact of played.facts) eventSchema.parse({ ...fact, recordedtime: '2026-02-03T00:00:00.000Z' })
      expect(new Set(played.facts.map(fact => fact.subject)).has('')).toBe(false)
    })

    it('tells the same facts when each message arrives twice in a row', () => {
      const ids = (times: number): string[] => [...new Set(play(input, times).facts.map(fact => fact.id))]
      expect(ids(2)).toEqual(ids(1))
    })

    it('lets no secret out, nor into the mirror', () => {
      const everything = JSON.stringify(played)
      expect(everything).not.toMatch(/hunter|VyHidgGB|AAAAB3|"(encPwd|pwd|sshData)":/)
    })
  })
})
