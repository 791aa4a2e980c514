/** What jobs did: returns by verdict, runs with answers missing, how far behind we are. */
import { bars, dashboard, rising, stat, timeseries } from './panels.ts'

const S = 'source=~"$source"'

export const RETURNS = dashboard({
  uid: 'opswire-returns',
  title: 'opswire: job returns',
  says: 'Verdicts on what minions returned, runs in which some did not answer, and how fast both are seen.',
  sourcesOf: 'opswire_job_returns_total',
  lines: [
    {
      height: 5,
      panels: [
        [
          8,
          stat({
            title: 'Returns',
            says: 'Within the time shown. Unknown: the return says neither that it succeeded nor that it failed.',
            unit: 'short',
            queries: [
              { expr: `sum by (outcome) (increase(opswire_job_returns_total{${S}}[$__range]))`, legend: '{{outcome}}' },
            ],
          }),
        ],
        [
          8,
          stat({
            title: 'Failed',
            says: 'The part of the returns within the time shown that failed.',
            unit: 'percentunit',
            steps: rising([0.01, 'yellow'], [0.1, 'red']),
            queries: [
              {
                expr: `sum by (source) (increase(opswire_job_returns_total{${S},outcome="failure"}[$__range])) / clamp_min(sum by (source) (increase(opswire_job_returns_total{${S}}[$__range])), 1)`,
                legend: '{{source}}',
              },
            ],
          }),
        ],
        [
          8,
          stat({
            title: 'Runs without all answers',
            says: 'Events of runs, within the time shown, that ended, or go on, with minions that have not answered.',
            unit: 'short',
            steps: rising([1, 'yellow'], [10, 'red']),
            queries: [
              {
                expr: `sum by (source) (increase(opswire_events_total{${S},kind="job",severity="warning"}[$__range]))`,
                legend: '{{source}}',
              },
            ],
            runbook: 'OpswireMissingReturns',
          }),
        ],
      ],
    },
    {
      height: 9,
      panels: [
        [
          12,
          timeseries(
            {
              title: 'Returns by verdict',
              says: 'What minions returned, each second.',
              unit: 'ops',
              min: 0,
              queries: [
                {
                  expr: `sum by (outcome) (rate(opswire_job_returns_total{${S}}[$__rate_interval]))`,
                  legend: '{{outcome}}',
                },
              ],
            },
            true,
          ),
        ],
        [
          12,
          timeseries({
            title: 'Events of jobs',
            says: 'Definitions and runs, each second: info, minor with failures, warning with answers missing.',
            unit: 'eps',
            min: 0,
            queries: [
              {
                expr: `sum by (severity) (rate(opswire_events_total{${S},kind="job"}[$__rate_interval]))`,
                legend: '{{severity}}',
              },
            ],
            runbook: 'OpswireMissingReturns',
          }),
        ],
      ],
    },
    {
      height: 8,
      panels: [
        [
          8,
          timeseries({
            title: 'Lateness',
            says: "95 of 100 were seen within this time of happening, by the server's clock. A poll interval is ordinary.",
            unit: 's',
            min: 0,
            queries: [
              {
                expr: `histogram_quantile(0.95, sum by (le, feed) (rate(opswire_late_seconds_bucket{${S}}[$__rate_interval])))`,
                legend: '{{feed}}',
              },
            ],
          }),
        ],
        [
          8,
          timeseries({
            title: 'Answers of the server',
            says: '95 of 100 calls were answered within this time, by method.',
            unit: 's',
            min: 0,
            queries: [
              {
                expr: `histogram_quantile(0.95, sum by (le, operation) (rate(opswire_request_seconds_bucket{${S}}[$__rate_interval])))`,
                legend: '{{operation}}',
              },
            ],
          }),
        ],
        [
          8,
          bars({
            title: 'Found by looking twice',
            says: 'Facts, within the time shown, that only a sweep or a count found: without it they would have been lost.',
            unit: 'short',
            min: 0,
            steps: rising([1, 'yellow']),
            queries: [
              {
                expr: `sum by (feed) (increase(opswire_recovered_events_total{${S}}[$__range]))`,
                legend: '{{feed}}',
              },
            ],
          }),
        ],
      ],
    },
  ],
})
