/** Who did what through which API token of Cloud Director. */
import { bars, dashboard, rising, stat, timeseries } from './panels.ts'

const S = 'source=~"$source"'

export const TOKENS = dashboard({
  uid: 'opswire-tokens',
  title: 'opswire: VCD tokens',
  says: 'Actions in Cloud Director by the API token behind them, what is remarkable in their use, and how well the audit trail is read.',
  sourcesOf: 'opswire_token_events_total',
  lines: [
    {
      height: 5,
      panels: [
        [
          8,
          stat({
            title: 'Actions of unknown tokens',
            says: 'Within the time shown: a token that the inventory does not name, or every token, where there is no inventory.',
            unit: 'short',
            steps: rising([1, 'red']),
            queries: [
              {
                expr: `sum by (source) (increase(opswire_token_events_total{${S},token="unknown"}[$__range]))`,
                legend: '{{source}}',
              },
            ],
            runbook: 'OpswireUnknownToken',
          }),
        ],
        [
          8,
          stat({
            title: 'Refused logins',
            says: 'Sessions, within the time shown, that did not come to be.',
            unit: 'short',
            steps: rising([5, 'yellow'], [50, 'red']),
            queries: [
              {
                expr: `sum by (source) (increase(opswire_events_total{${S},kind="session",severity="warning"}[$__range]))`,
                legend: '{{source}}',
              },
            ],
          }),
        ],
        [
          8,
          stat({
            title: 'Failed actions',
            says: 'Within the time shown, whoever tried.',
            unit: 'short',
            steps: rising([10, 'yellow'], [100, 'red']),
            queries: [
              {
                expr: `sum by (source) (increase(opswire_token_events_total{${S},outcome="failure"}[$__range]))`,
                legend: '{{source}}',
              },
            ],
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
              title: 'Actions by token',
              says: 'Each second. None: another login, such as a password. Unknown: a token without a name in the inventory.',
              unit: 'eps',
              min: 0,
              queries: [
                {
                  expr: `sum by (token) (rate(opswire_token_events_total{${S}}[$__rate_interval]))`,
                  legend: '{{token}}',
                },
              ],
              runbook: 'OpswireUnknownToken',
            },
            true,
          ),
        ],
        [
          12,
          timeseries({
            title: 'Actions by outcome',
            says: 'With a token or without, each second.',
            unit: 'eps',
            min: 0,
            queries: [
              {
                expr: `sum by (outcome) (rate(opswire_token_events_total{${S}}[$__rate_interval]))`,
                legend: '{{outcome}}',
              },
            ],
          }),
        ],
      ],
    },
    {
      height: 8,
      panels: [
        [
          8,
          bars({
            title: 'Remarkable',
            says: 'Flags within the time shown; docs/VCD.md says what each means.',
            unit: 'short',
            min: 0,
            steps: rising([1, 'orange']),
            queries: [
              { expr: `sum by (flag) (increase(opswire_token_flags_total{${S}}[$__range]))`, legend: '{{flag}}' },
            ],
            runbook: 'OpswireStrangeTokenUse',
          }),
        ],
        [
          8,
          timeseries({
            title: 'Lateness of the trail',
            says: '95 of 100 rows were seen within this time of their stamp. Past half of overlap the log says so.',
            unit: 's',
            min: 0,
            queries: [
              {
                expr: `histogram_quantile(0.95, sum by (le, source) (rate(opswire_late_seconds_bucket{${S}}[$__rate_interval])))`,
                legend: '{{source}}',
              },
            ],
          }),
        ],
        [
          8,
          timeseries({
            title: 'Answers of the cell',
            says: '95 of 100 requests were answered within this time, by what was asked.',
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
      ],
    },
  ],
})
