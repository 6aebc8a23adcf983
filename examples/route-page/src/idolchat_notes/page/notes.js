document.querySelector("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const { token, text } = Object.fromEntries(new FormData(event.target));
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  const reply = await fetch("/notes", { method: "POST", headers, body: JSON.stringify({ text }) });
  const said = await reply.json();
  document.querySelector("ul").appendChild(document.createElement("li")).textContent = reply.ok ? said.text : said.error.message;
});
