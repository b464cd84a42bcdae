"""URLs under /alerts/."""

from django.urls import path

from alerts.views import rule_delete, rule_form, rule_list

app_name = "alerts"
urlpatterns = [
    path("", rule_list, name="list"),
    path("form", rule_form, name="form"),
    path("<int:pk>/delete", rule_delete, name="delete"),
]
