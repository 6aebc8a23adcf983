/* Shows the AsyncAPI document: each operation, its messages, and the fields of each. */

function element(name, text, ...children) {
  const made = document.createElement(name);
  made.textContent = text;
  made.append(...children);
  return made;
}

function resolved(root, value) {
  if (!value || !value.$ref) return value;
  const found = value.$ref.slice(2).split("/").reduce((at, key) => at[key.replaceAll("~1", "/")], root);
  return resolved(root, found);
}

function typeOf(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  if ("const" in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map(typeOf).join(" | ");
  if (schema.prefixItems) return `[${schema.prefixItems.map(typeOf).join(", ")}]`;
  if (schema.type === "array") return `${typeOf(schema.items ?? {})}[]`;
  return schema.format ?? schema.type ?? "any";
}

function fields(schema) {
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const needed = (schema.required ?? []).includes(name) ? "" : "optional";
    return element("tr", "", element("td", name), element("td", typeOf(field)), element("td", needed), element("td", field.description ?? ""));
  });
  return element("table", "", ...rows);
}

async function show() {
  const root = await (await fetch("../asyncapi.json")).json();
  const place = document.getElementById("events");
  place.append(element("h1", root.info.title), element("p", root.info.description));
  for (const operation of Object.values(root.operations)) {
    const channel = resolved(root, operation.channel);
    place.append(element("h2", `${channel.address}: ${operation.summary}`), element("p", channel.description));
    for (const reference of operation.messages) {
      const message = resolved(root, reference);
      place.append(element("h3", message.name ?? reference.$ref.split("/").pop()), element("p", message.summary), fields(resolved(root, message.payload)));
    }
  }
  place.append(element("h2", "Shapes"));
  for (const [name, schema] of Object.entries(root.components.schemas)) {
    place.append(element("h3", name), element("p", schema.description ?? ""), fields(schema));
  }
}

void show();
