import { type ReactNode, useId } from "react";

import { useTexts } from "../i18n/text.ts";

export interface Bar {
  key: string;
  label: string;
  /** Parts that stand on each other, from below. */
  parts: readonly number[];
}

interface Props {
  title: string;
  bars: readonly Bar[];
  /** What the parts are, in the same order. */
  names: readonly string[];
  shown: (value: number) => string;
}

const HEIGHT = 60;
const WIDEST = 8;

/** Bars, and the same in a table for whoever cannot see them. */
export function Plot({ title, bars, names, shown }: Props): ReactNode {
  const { t } = useTexts();
  const id = useId();
  const sums = bars.map(({ parts }) => parts.reduce((sum, one) => sum + one, 0));
  const most = Math.max(...sums, Number.MIN_VALUE);
  const width = Math.min(100 / bars.length, WIDEST);
  return (
    <figure className="plot" aria-labelledby={id}>
      <figcaption id={id}><h3>{title}</h3><span className="most">{shown(Math.max(...sums, 0))}</span></figcaption>
      <svg viewBox={`0 0 100 ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        {bars.map(({ key, label, parts }, index) => (
          <g key={key}>
            <title>{`${label}: ${shown(sums[index]!)}`}</title>
            <rect className="room" x={index * width} y="0" width={width} height={HEIGHT} />
            {parts.map((part, at) => {
              const height = (part / most) * HEIGHT;
              const below = (parts.slice(0, at).reduce((sum, one) => sum + one, 0) / most) * HEIGHT;
              return <rect key={at} className={`share s${at}`} x={index * width + width * 0.12} y={HEIGHT - below - height} width={width * 0.76} height={height} />;
            })}
          </g>
        ))}
      </svg>
      <div className="ends" aria-hidden="true"><span>{bars[0]?.label}</span><span>{bars.length > 1 ? bars.at(-1)?.label : null}</span></div>
      {names.length > 1 ? <ul className="legend">{names.map((name, at) => <li key={name}><i className={`share s${at}`} aria-hidden="true" /> {name}</li>)}</ul> : null}
      <details>
        <summary>{t("look.asTable")}</summary>
        <table className="parts" aria-labelledby={id}>
          <thead><tr><th scope="col">{t("look.time")}</th>{names.map((name) => <th key={name} scope="col" className="number">{name}</th>)}</tr></thead>
          <tbody>
            {bars.filter((_, index) => sums[index]).map(({ key, label, parts }) => (
              <tr key={key}><th scope="row">{label}</th>{parts.map((part, at) => <td key={at} className="number">{shown(part)}</td>)}</tr>
            ))}
          </tbody>
        </table>
      </details>
    </figure>
  );
}
