// The forms: says thank you in place, and tells Rapport who the visitor claims to be.
for (const form of document.querySelectorAll("form[data-rapport-form]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const traits = {};
    for (const [name, value] of new FormData(form)) {
      if (name !== "message" && typeof value === "string" && value !== "") traits[name] = value;
    }
    (window.rapport ||= []).push(["identify", null, traits]);
    const thanks = form.parentElement.querySelector(".thanks");
    form.hidden = true;
    thanks.hidden = false;
    thanks.focus();
  });
}

// The pricing page's switch between monthly and yearly prices.
for (const choice of document.querySelectorAll("[name=billing]")) {
  choice.addEventListener("change", () => {
    for (const price of document.querySelectorAll("[data-monthly]")) {
      price.textContent = price.dataset[choice.value];
    }
    (window.rapport ||= []).push(["track", "Pricing Compared", { billing: choice.value }]);
  });
}

// What is open now.
for (const link of document.querySelectorAll("header nav a")) {
  const path = new URL(link.href).pathname;
  if (location.pathname === path || location.pathname.startsWith(`${path}/`)) link.setAttribute("aria-current", "page");
}
