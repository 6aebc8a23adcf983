import type { ReactNode } from "react";

const PATHS = {
  plus: "M12 5v14M5 12h14",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4",
  menu: "M4 7h16M4 12h16M4 17h10",
  close: "M6 6l12 12M18 6L6 18",
  send: "M12 19V5M6 11l6-6 6 6",
  stop: "M8 8h8v8H8z",
  copy: "M9 9h10v10H9zM5 15V5h10",
  check: "M5 12.500l4.500 4.500L19 7.500",
  edit: "M4 20l1-4L16.500 4.500l3 3L8 19zM14.500 6.500l3 3",
  again: "M20 12a8 8 0 1 1-2.500-5.800M20 4v4.500h-4.500",
  forward: "M5 12h13M13 7l5 5-5 5",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
  look: "M12 6c5 0 8.500 4.500 9 6-.5 1.500-4 6-9 6s-8.500-4.500-9-6c.500-1.500 4-6 9-6zM12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6z",
  previous: "M14 7l-5 5 5 5",
  next: "M10 7l5 5-5 5",
  down: "M12 5v14M6 13l6 6 6-6",
  more: "M6 12h.01M12 12h.01M18 12h.01",
  settings: "M12 15a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM12 3v3M12 18v3M3 12h3M18 12h3M5.600 5.600l2.200 2.200M16.200 16.200l2.200 2.200M18.400 5.600l-2.200 2.200M7.800 16.200l-2.200 2.200",
  people: "M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM2.500 20c.500-4 3-6 6.500-6s6 2 6.500 6M16 4.500a3.500 3.500 0 0 1 0 6.300M18 14.500c2 .8 3.200 2.700 3.500 5.500",
  person: "M12 11.500a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.500 20.500c.600-4.300 3.500-6.500 7.500-6.500s6.900 2.200 7.500 6.500",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.500 9.500h.01",
  upload: "M12 16V5M7 10l5-5 5 5M5 19h14",
  memory: "M12 20s-7.500-4.500-7.500-10A4.500 4.500 0 0 1 12 7a4.500 4.500 0 0 1 7.500 3c0 5.500-7.500 10-7.500 10z",
  download: "M12 5v11M7 11l5 5 5-5M5 19h14",
  out: "M14 5h5v14h-5M3 12h11M10 8l4 4-4 4",
} as const;

export type IconName = keyof typeof PATHS;
const TURNED = new Set<IconName>(["previous", "next", "forward", "out"]);

export function Icon({ name }: { name: IconName }): ReactNode {
  return (
    <svg viewBox="0 0 24 24" className={TURNED.has(name) ? "icon turned" : "icon"} aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}

interface ButtonProps {
  icon: IconName;
  label: string;
  onClick?: () => void;
  isPressed?: boolean;
  isExpanded?: boolean;
  isDisabled?: boolean;
  className?: string;
}

export function IconButton({ icon, label, onClick, isPressed, isExpanded, isDisabled, className = "" }: ButtonProps): ReactNode {
  return (
    <button
      type="button"
      className={`icon-button ${className}`}
      aria-label={label}
      title={label}
      aria-pressed={isPressed}
      aria-expanded={isExpanded}
      disabled={isDisabled}
      onClick={onClick}
    >
      <Icon name={icon} />
    </button>
  );
}
