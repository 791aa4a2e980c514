import { expect, it } from 'vitest'
import { judge } from '../../src/cli/load.ts'
import { parseConfig } from '../../src/config/load.ts'
import { ConfigInvalid } from '../../src/config/problems.ts'

const config = (subscriptions: string): string => `sources:
  - name: fabric-a
    kind: apic
    controllers: ["https://apic1.example.net"]
    username: svc
    password_file: /run/secrets/apic
    subscriptions:
${subscriptions}`

it('questions that no APIC can be asked are found offline, all at once, each with its line', async () => {
  const text = config(`      - { class: l2IngrBytes5min }
      - { class: faultInst }
      - { raw: nonsense }
      - { mo: uni/tn-x, backfill: 1h }
`)
  const error = await parseConfig(text, 'x.yaml', {}, judge).then(
    () => undefined,
    thrown => thrown,
  )
  expect(error).toBeInstanceOf(ConfigInvalid)
  const problems = (error as ConfigInvalid).problems
  expect(problems.map(problem => [problem.line, problem.path.join('.')])).toEqual([
    [8, 'sources.0.subscriptions.0'],
    [10, 'sources.0.subscriptions.2'],
    [11, 'sources.0.subscriptions.3.backfill'],
  ])
})
