// Renders the API reference from the schema without third-party requests.
"use strict";

(() => {
  const holder = document.getElementById("reference");
  const VENDOR_HOST = "https://cdn.redoc.ly/";
  const FONT = '"Inter Variable", system-ui, sans-serif';

  // The library loads its vendor's logo from the vendor's site; this replaces it with ours.
  const localLogo = (address) => (String(address).startsWith(VENDOR_HOST) ? holder.dataset.logo : address);
  const image = HTMLImageElement.prototype;
  const { get, set } = Object.getOwnPropertyDescriptor(image, "src");
  const { setAttribute } = image;
  Object.defineProperty(image, "src", { get, set(address) { set.call(this, localLogo(address)); } });
  image.setAttribute = function (name, value) {
    setAttribute.call(this, name, localLogo(value));
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
