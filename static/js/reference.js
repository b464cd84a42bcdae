// Draws the API reference from the schema, with nothing fetched from elsewhere.
"use strict";

(() => {
  const holder = document.getElementById("reference");
  const ELSEWHERE = "https://cdn.redoc.ly/";
  const FONT = '"Inter Variable", system-ui, sans-serif';

  // The library puts its maker's logo, from its maker's site, below the menu: ours stands there instead.
  const ours = (address) => (String(address).startsWith(ELSEWHERE) ? holder.dataset.logo : address);
  const image = HTMLImageElement.prototype;
  const { get, set } = Object.getOwnPropertyDescriptor(image, "src");
  const { setAttribute } = image;
  Object.defineProperty(image, "src", { get, set(address) { set.call(this, ours(address)); } });
  image.setAttribute = function (name, value) {
    setAttribute.call(this, name, ours(value));
  };

  Redoc.init(
    holder.dataset.schemaUrl,
    {
      disableSearch: true,
      theme: { typography: { fontFamily: FONT, headings: { fontFamily: FONT } }, colors: { primary: { main: "#3b4cca" } } },
    },
    holder,
  );
})();
