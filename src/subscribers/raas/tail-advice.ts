/** What a person should know of a walk: said once as long as it lasts. */
import type { Report } from '../../report.ts'

export interface AdviceOptions {
  readonly report: Report
  readonly source: string
  readonly feed: string
  /** A job loop runs beside the walks. */
  readonly hasJobLoop: boolean
}

export class TailAdvice {
  readonly #options: AdviceOptions
  #isTorn = false
  #isUntimed = false
  #isShallow = false

  constructor(options: AdviceOptions) {
    this.#options = options
  }

  #say(text: string): void {
    const { report, source, feed } = this.#options
    report({ type: 'advice', source, text: `${feed}: ${text}` })
  }

  ties(isTorn: boolean): void {
    const rest = this.#options.hasJobLoop ? 'the job loop looks after the rest' : 'some may be missing'
    if (isTorn && !this.#isTorn) this.#say(`more rows share one time than a page can hold; ${rest}`)
    this.#isTorn = isTorn
  }

  shallow(isShallow: boolean): void {
    if (isShallow && !this.#isShallow)
      this.#say('more rows than a walk may read lie within an hour; those that come later than overlap may be missed')
    this.#isShallow = isShallow
  }

  /** Rows that carry no time: they are told when they are met, but no overlap reaches for them. */
  untimed(count: number): void {
    if (count > 0 && !this.#isUntimed) {
      this.#say(`${count} rows carry no time that can be read; late ones of their kind can't be looked for`)
    }
    this.#isUntimed ||= count > 0
  }

  recovered(count: number): void {
    this.#say(`a sweep found ${count} rows that came later than overlap; raise it`)
  }

  restored(): void {
    this.#say('the newest row is older than the cursor; was a database restored?')
  }
}
