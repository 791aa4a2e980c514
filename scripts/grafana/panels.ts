/** The panels of our dashboards, in the types of Grafana's own schema: what each needs is asked for by the compiler. */
import {
  type Dashboard,
  type DashboardLink,
  defaultDashboard,
  FieldColorModeId,
  type FieldConfig,
  type FieldConfigSource,
  GraphDrawStyle,
  LegendDisplayMode,
  MappingType,
  type Panel,
  SortOrder,
  StackingMode,
  type Threshold,
  ThresholdsMode,
  TooltipDisplayMode,
  VariableHide,
  type VariableModel,
  VariableRefresh,
} from '@grafana/schema'

/** Grafana migrates older ones by itself; a newer one it would not open. */
const SCHEMA_VERSION = 42
const TAG = 'opswire'
/** The variable, so that any Prometheus of the house can be chosen. */
const DATASOURCE = { type: 'prometheus', uid: '$datasource' }

export interface Query {
  readonly expr: string
  /** What a series is called: `{{source}} {{lease}}`. */
  readonly legend: string
}

export interface Look {
  readonly title: string
  /** What it shows, and what is good and what is bad. */
  readonly says: string
  /** Grafana's name of the unit: `s`, `bytes`, `ops`, `percentunit`, … */
  readonly unit: string
  readonly queries: readonly Query[]
  /** From these values on a colour; below the first: green. Falling ones begin with red. */
  readonly steps?: readonly Threshold[]
  /** What stands there when nothing is answered. */
  readonly none?: string
  /** An alert of docs/OPERATIONS.md, whose runbook is linked. */
  readonly runbook?: string
  readonly min?: number
  readonly max?: number
}

const GREEN: readonly Threshold[] = [{ color: 'green', value: null }]

/** Green below, then these. */
export function rising(...steps: readonly [number, string][]): readonly Threshold[] {
  return [...GREEN, ...steps.map(([value, color]) => ({ value, color }))]
}

/** Red below, then these. */
export function falling(...steps: readonly [number, string][]): readonly Threshold[] {
  return [{ color: 'red', value: null }, ...steps.map(([value, color]) => ({ value, color }))]
}

function base(type: string, look: Look, more: Partial<FieldConfig>, options: Record<string, unknown>): Panel {
  const fieldConfig: FieldConfigSource = {
    defaults: {
      unit: look.unit,
      color: { mode: FieldColorModeId.Thresholds },
      thresholds: { mode: ThresholdsMode.Absolute, steps: [...(look.steps ?? GREEN)] },
      ...(look.min === undefined ? {} : { min: look.min }),
      ...(look.max === undefined ? {} : { max: look.max }),
      ...(look.none === undefined ? {} : { noValue: look.none }),
      ...more,
    },
    overrides: [],
  }
  return {
    type,
    title: look.title,
    description: look.says,
    datasource: DATASOURCE,
    targets: look.queries.map(({ expr, legend }, index) => ({
      datasource: DATASOURCE,
      refId: String.fromCharCode(65 + index),
      expr,
      legendFormat: legend,
      ...(type === 'timeseries' ? { range: true } : { instant: true }),
    })),
    fieldConfig,
    options,
    ...(look.runbook === undefined ? {} : { links: [runbookLink(look.runbook)] }),
  }
}

/** One number each, coloured by its thresholds; `words` in place of numbers. */
export function stat(look: Look, words?: Readonly<Record<string, { text: string; color: string }>>): Panel {
  const mappings =
    words === undefined ? {} : { mappings: [{ type: MappingType.ValueToText as const, options: { ...words } }] }
  return base('stat', look, mappings, {
    reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
    colorMode: 'background',
    graphMode: 'none',
    textMode: 'value_and_name',
    justifyMode: 'auto',
    orientation: 'auto',
    wideLayout: true,
    showPercentChange: false,
    percentChangeColorMode: 'standard',
  })
}

/** A metric that is 1 when all is well and 0 when not, in words. */
export function verdict(
  look: Pick<Look, 'title' | 'says' | 'runbook'>,
  query: Query,
  [yes, no]: readonly [yes: string, no: string],
): Panel {
  const words = { '1': { text: yes, color: 'green' }, '0': { text: no, color: 'red' } }
  return stat({ ...look, unit: 'bool', steps: falling([1, 'green']), queries: [query] }, words)
}

/** A line each; `stacked` as areas upon each other. With thresholds they are drawn as lines. */
export function timeseries(look: Look, stacked = false): Panel {
  return base(
    'timeseries',
    look,
    {
      color: { mode: FieldColorModeId.PaletteClassicByName },
      custom: {
        drawStyle: GraphDrawStyle.Line,
        lineWidth: 1,
        fillOpacity: stacked ? 40 : 8,
        showPoints: 'never',
        spanNulls: false,
        stacking: { mode: stacked ? StackingMode.Normal : StackingMode.None, group: 'A' },
        thresholdsStyle: { mode: look.steps === undefined ? 'off' : 'line' },
      },
    },
    {
      legend: {
        displayMode: LegendDisplayMode.Table,
        placement: 'bottom',
        showLegend: true,
        calcs: ['lastNotNull', 'max'],
      },
      tooltip: { mode: TooltipDisplayMode.Multi, sort: SortOrder.Descending },
    },
  )
}

/** A bar each, the value behind it. */
export function bars(look: Look): Panel {
  return base(
    'bargauge',
    look,
    {},
    {
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      orientation: 'horizontal',
      displayMode: 'basic',
      valueMode: 'color',
      namePlacement: 'auto',
      sizing: 'auto',
      showUnfilled: true,
      minVizWidth: 8,
      minVizHeight: 16,
      maxVizHeight: 300,
      legend: { displayMode: LegendDisplayMode.List, placement: 'bottom', showLegend: false, calcs: [] },
    },
  )
}

function runbookLink(alert: string): DashboardLink {
  return {
    ...{ title: `Runbook: ${alert}`, type: 'link', icon: 'doc', tooltip: '', tags: [] },
    ...{
      url: `\${runbooks}#${alert.toLowerCase()}`,
      asDropdown: false,
      targetBlank: true,
      includeVars: false,
      keepTime: false,
    },
  }
}

/** What a panel asks Prometheus. */
export function queriesOf(panel: object): { readonly expr: string; readonly range?: boolean }[] {
  return 'targets' in panel ? (panel.targets as { expr: string; range?: boolean }[]) : []
}

/** A line of panels: each with its width (all lines are 24 wide), all of one height. */
export interface Line {
  readonly height: number
  readonly panels: readonly (readonly [width: number, panel: Panel])[]
}

export interface Page {
  readonly uid: string
  readonly title: string
  readonly says: string
  /** A metric that only the sources of this page have. */
  readonly sourcesOf: string
  readonly lines: readonly Line[]
}

/** The dashboard: panels get their places and numbers, top to bottom. */
export function dashboard({ uid, title, says, sourcesOf, lines }: Page): Dashboard {
  const panels: Panel[] = []
  let y = 0
  for (const { height, panels: line } of lines) {
    let x = 0
    for (const [w, panel] of line) {
      panels.push({ id: panels.length + 1, ...panel, gridPos: { x, y, w, h: height } })
      x += w
    }
    y += height
  }
  return {
    ...defaultDashboard,
    uid,
    title,
    description: says,
    tags: [TAG],
    schemaVersion: SCHEMA_VERSION,
    refresh: '30s',
    time: { from: 'now-3h', to: 'now' },
    timezone: 'browser',
    graphTooltip: 1,
    links: [
      {
        ...{ title: 'opswire', type: 'dashboards', icon: 'dashboard', tooltip: 'The other dashboards', tags: [TAG] },
        ...{ url: '', asDropdown: false, targetBlank: false, includeVars: true, keepTime: true },
      },
    ],
    templating: { list: variables(sourcesOf) },
    panels,
  }
}

function variables(sourcesOf: string): VariableModel[] {
  return [
    {
      type: 'datasource',
      name: 'datasource',
      label: 'Prometheus',
      query: 'prometheus',
      refresh: VariableRefresh.onDashboardLoad,
    },
    {
      ...{
        type: 'query',
        name: 'source',
        label: 'Source',
        datasource: DATASOURCE,
        // All of the list, and no more: the other dashboards' sources have the same metrics.
        includeAll: true,
        multi: true,
      },
      current: { selected: true, text: 'All', value: '$__all' },
      query: { qryType: 1, query: `label_values(${sourcesOf}, source)`, refId: 'sources' },
      refresh: VariableRefresh.onTimeRangeChanged,
    },
    {
      ...{ type: 'constant', name: 'runbooks', hide: VariableHide.hideVariable },
      description: 'Where docs/OPERATIONS.md is shown in your house: the runbook links lead there.',
      query: 'https://docs.example.net/opswire/OPERATIONS.md',
    },
  ]
}
