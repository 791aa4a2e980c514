/** The questions that the demo prints, put to the systems that it starts, with the config that it writes. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type DemoWorld, makeWorld, QUESTIONS } from '../../src/cli/demo-world.ts'
import { main } from '../../src/main.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { captured } from './captured-io.ts'

let world: DemoWorld
beforeEach(async () => {
  world = await makeWorld(systemClock, undefined)
})
afterEach(() => world.close())

it.each(QUESTIONS)('%s', async question => {
  const { io, out, err } = captured({ signal: new AbortController().signal })
  const code = await main(['query', '-c', world.configFile, ...question.split(' ')], io)
  expect([code, err()]).toEqual([0, ''])
  expect(out()).toMatch(/\d+ (objects?|rows?|events?)/)
})
