/** The mark: two dots for eyes and five bars that hang in the smile curve sound engineers know. */

const BARS = [
  { x: 3.5, y: 16, h: 6 },
  { x: 9.75, y: 18.6, h: 7 },
  { x: 16, y: 19.6, h: 8 },
  { x: 22.25, y: 18.6, h: 7 },
  { x: 28.5, y: 16, h: 6 },
];

export function Mark({ size = 32 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" fill="currentColor" aria-hidden="true">
      <circle cx="9.75" cy="8.4" r="2.5" />
      <circle cx="22.25" cy="8.4" r="2.5" />
      {BARS.map(({ x, y, h }) => (
        <rect key={x} x={x - 1.75} y={y} width="3.5" height={h} rx="1.75" />
      ))}
    </svg>
  );
}
