// The forms: says thank you in place. Rapport's tag reads the standard fields and those with
// `data-rapport-trait` by itself.
for (const form of document.querySelectorAll("form[data-rapport-form]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
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
