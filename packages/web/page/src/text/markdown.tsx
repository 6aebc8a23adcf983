/** Markdown as React elements: no HTML is ever made of a text. */

import type { Token, Tokens } from "marked";
import { type ReactNode, memo } from "react";

import { blocksOf } from "./blocks.ts";
import { plain, safeAddress } from "./safe.ts";

export const Markdown = memo(function Markdown({ text }: { text: string }): ReactNode {
  const shown = plain(text);
  const found = blocksOf(shown);
  return found ? <>{blocks(found)}</> : <p dir="auto" className="plain">{shown}</p>;
});

function blocks(tokens: readonly Token[]): ReactNode[] {
  return tokens.map((token, index) => <Block key={index} token={token} />);
}

function Block({ token }: { token: Token }): ReactNode {
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading":
      // A reply is no page: its headings are not the page's.
      return <p dir="auto" role="heading" aria-level={Math.min((token as Tokens.Heading).depth + 2, 6)} className={`heading h${(token as Tokens.Heading).depth}`}>{inline(token)}</p>;
    case "paragraph":
      return <p dir="auto">{inline(token)}</p>;
    case "text":
      return "tokens" in token && token.tokens ? <span dir="auto">{inline(token)}</span> : (token as Tokens.Text).raw;
    case "code":
      return <pre dir="ltr" tabIndex={0}><code>{(token as Tokens.Code).text}</code></pre>;
    case "blockquote":
      return <blockquote dir="auto">{blocks((token as Tokens.Blockquote).tokens)}</blockquote>;
    case "hr":
      return <hr />;
    case "list":
      return <List list={token as Tokens.List} />;
    case "table":
      return <Table table={token as Tokens.Table} />;
    default:
      return <p dir="auto" className="plain">{token.raw.trimEnd()}</p>;
  }
}

function List({ list }: { list: Tokens.List }): ReactNode {
  const items = list.items.map((item, index) => (
    <li key={index} dir="auto">
      {item.task ? <span className="task" aria-hidden="true">{item.checked ? "☑ " : "☐ "}</span> : null}
      {blocks(item.tokens.filter(({ type }) => type !== "checkbox"))}
    </li>
  ));
  return list.ordered ? <ol start={Number(list.start) || 1}>{items}</ol> : <ul>{items}</ul>;
}

function Table({ table }: { table: Tokens.Table }): ReactNode {
  return (
    <div className="table" tabIndex={0}>
      <table>
        <thead><tr>{table.header.map((cell, index) => <th key={index} dir="auto">{inlines(cell.tokens)}</th>)}</tr></thead>
        <tbody>
          {table.rows.map((row, index) => (
            <tr key={index}>{row.map((cell, at) => <td key={at} dir="auto">{inlines(cell.tokens)}</td>)}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function inline(token: Token): ReactNode {
  return inlines("tokens" in token ? token.tokens : undefined, token.raw);
}

function inlines(tokens: readonly Token[] | undefined, raw = ""): ReactNode {
  return tokens ? tokens.map((token, index) => <Inline key={index} token={token} />) : raw;
}

function Inline({ token }: { token: Token }): ReactNode {
  switch (token.type) {
    case "strong":
      return <strong>{inline(token)}</strong>;
    case "em":
      return <em>{inline(token)}</em>;
    case "del":
      return <del>{inline(token)}</del>;
    case "codespan":
      return <code dir="ltr">{(token as Tokens.Codespan).text}</code>;
    case "br":
      return <br />;
    case "link":
      return <Link link={token as Tokens.Link} />;
    case "escape":
      return (token as Tokens.Escape).text;
    case "text":
      return "tokens" in token && token.tokens ? inline(token) : (token as Tokens.Text).raw;
    default:
      return token.raw; // HTML, pictures of elsewhere, and whatever comes: as it was written
  }
}

function Link({ link }: { link: Tokens.Link }): ReactNode {
  const address = safeAddress(link.href);
  if (!address) return link.raw;
  return (
    <a href={address} target="_blank" rel="noopener noreferrer nofollow" title={address} dir="auto">
      {inline(link)}
    </a>
  );
}
