// XML as S3 speaks it: replies are built from plain values, requests are read into plain values.

import { XMLParser } from "fast-xml-parser";
import { Refusal } from "./refusal.ts";

/** An element's content: text, child elements by name, or several elements of the same name. */
export type XmlValue =
  | string
  | number
  | boolean
  | undefined
  | readonly XmlValue[]
  | { readonly [name: string]: XmlValue };

const NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/";

/** A document with one root element; children that are undefined are left out. */
export function toXml(root: string, content: { readonly [name: string]: XmlValue }): string {
  const xmlns = root === "Error" ? "" : ` xmlns="${NAMESPACE}"`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${xmlns}>${inner(content)}</${root}>`;
}

function inner(content: XmlValue): string {
  if (content === undefined) return "";
  if (typeof content !== "object") return escapeText(String(content));
  return Object.entries(content)
    .map(([name, value]) => elements(name, value))
    .join("");
}

function elements(name: string, value: XmlValue): string {
  if (value === undefined) return "";
  if (isList(value)) return value.map((one) => elements(name, one)).join("");
  return `<${name}>${inner(value)}</${name}>`;
}

function isList(value: XmlValue): value is readonly XmlValue[] {
  return Array.isArray(value);
}

/** Control characters go as references: a parser would turn a bare CR into LF, and Kodo has no encoding-type to avoid it. */
function escapeText(text: string): string {
  return text.replace(
    /[&<>"'\u0000-\u001f\u007f\u0085\u2028]/g,
    (c) => NAMED[c] ?? `&#${c.charCodeAt(0)};`,
  );
}

const NAMED: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

const parser = new XMLParser({
  parseTagValue: false,
  trimValues: false,
  ignoreDeclaration: true,
  processEntities: true,
  htmlEntities: true,
  // Texts between elements are white space nobody wants; an element that holds only text stays a string.
  isArray: (name) => name === "Part" || name === "Object",
});

/** The content of the element `root`. @throws `MalformedXML`. */
export function readXml(root: string, text: string): Record<string, unknown> {
  let document: unknown;
  try {
    document = parser.parse(text, true);
  } catch (error) {
    throw new Refusal("MalformedXML", `The body is not XML: ${String(error)}`);
  }
  const content = fields(document)[root];
  if (content === undefined) throw new Refusal("MalformedXML", `The body has no element ${root}`);
  return fields(content);
}

/** The elements of that name as records. */
export function listOf(content: Record<string, unknown>, name: string): Record<string, unknown>[] {
  const value = content[name];
  return Array.isArray(value) ? value.map(fields) : [];
}

/** The text of a child element. @throws `MalformedXML` when it is absent. */
export function textOf(content: Record<string, unknown>, name: string): string {
  const value = content[name];
  if (typeof value !== "string") throw new Refusal("MalformedXML", `An element ${name} is missing`);
  return value;
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
